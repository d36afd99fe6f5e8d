{{/* The version of the registry that counts: of those that are valid, the one applied last. */}}
{{define "counting"}}SELECT argMax(content, (applied_at, hash)) AS content FROM {{.Name "registry"}} WHERE {{.Valid "valid_from"}}{{end}}
{{define "registry_versions.comment"}}Every version of the registry that was applied, and when it counts{{end}}
{{define "registry_versions.columns"}}
    applied_at  DateTime64(6, 'UTC') COMMENT 'When it was applied; of those valid at a time, the last applied counts',
    valid_from  DateTime64(6, 'UTC') COMMENT 'From when on it counts',
    by          String               COMMENT 'Who applied it',
    why         String               COMMENT 'Why',
    version     UInt64               COMMENT 'Which version: 1, 2, 3 …',
    entries     UInt64               COMMENT 'How many organisations, places, agreements and so on are in it',
    received_at DateTime64(6, 'UTC') COMMENT 'When the hub received it'
{{end}}
{{define "registry_versions"}}
SELECT any(r.applied_at) AS applied_at, any(r.valid_from) AS valid_from, any(toString(r.by)) AS by, any(r.why) AS why, any(r.version) AS version,
    toUInt64(arraySum(arrayMap(s -> JSONLength(any(r.content), s), JSONExtractKeys(any(r.content))))) AS entries, min(r.received_at) AS received_at
FROM {{.Name "registry"}} AS r
GROUP BY hash
ORDER BY applied_at, hash
{{end}}
{{define "organisations.comment"}}Organisations, as the registry has them{{end}}
{{define "organisations.columns"}}
    organisation String COMMENT 'Organisation: the first segment of its places',
    name         String COMMENT 'Name',
    kind         String COMMENT 'authority, party, riding-association, candidate, member, vendor, platform, broker, public-body, research, public or other',
    jurisdiction String COMMENT 'Country, or part of one',
    contact      String COMMENT 'Whom to ask',
    parent       String COMMENT 'Organisation that it is a part of; empty when none'
{{end}}
{{define "organisations"}}
SELECT
    JSONExtractString(e, 'id') AS organisation,
    JSONExtractString(e, 'name') AS name,
    JSONExtractString(e, 'kind') AS kind,
    JSONExtractString(e, 'jurisdiction') AS jurisdiction,
    JSONExtractString(e, 'contact') AS contact,
    JSONExtractString(e, 'parent') AS parent
FROM (SELECT arrayJoin(JSONExtractArrayRaw(content, 'organisations')) AS e FROM ({{template "counting" .}}))
ORDER BY organisation
{{end}}
{{define "systems.comment"}}Systems, as the registry has them: the first two segments of places{{end}}
{{define "systems.columns"}}
    system       String        COMMENT 'organisation/system',
    name         String        COMMENT 'Name',
    owner        String        COMMENT 'Organisation that answers for it',
    jurisdiction String        COMMENT 'Where it stands; empty when that is that of its owner',
    sources      Array(String) COMMENT 'Where its records come from'
{{end}}
{{define "systems"}}
SELECT
    JSONExtractString(e, 'id') AS system,
    JSONExtractString(e, 'name') AS name,
    if(JSONExtractString(e, 'owner') = '', splitByChar('/', system)[1], JSONExtractString(e, 'owner')) AS owner,
    JSONExtractString(e, 'jurisdiction') AS jurisdiction,
    JSONExtract(e, 'sources', 'Array(String)') AS sources
FROM (SELECT arrayJoin(JSONExtractArrayRaw(content, 'systems')) AS e FROM ({{template "counting" .}}))
ORDER BY system
{{end}}
{{define "datasets.comment"}}Datasets, as the registry has them{{end}}
{{define "datasets.columns"}}
    place        String        COMMENT 'Place: org/system/dataset',
    name         String        COMMENT 'Name',
    owner        String        COMMENT 'Organisation that answers for it; empty when its system says',
    jurisdiction String        COMMENT 'Where it stands; empty when its system says',
    sources      Array(String) COMMENT 'Where its records come from; none when its system says'
{{end}}
{{define "datasets"}}
SELECT
    JSONExtractString(e, 'place') AS place,
    JSONExtractString(e, 'name') AS name,
    JSONExtractString(e, 'owner') AS owner,
    JSONExtractString(e, 'jurisdiction') AS jurisdiction,
    JSONExtract(e, 'sources', 'Array(String)') AS sources
FROM (SELECT arrayJoin(JSONExtractArrayRaw(content, 'datasets')) AS e FROM ({{template "counting" .}}))
ORDER BY place
{{end}}
{{define "people.comment"}}People, as the registry has them: by staff code{{end}}
{{define "people.columns"}}
    place        String        COMMENT 'Place: org/people/staff code',
    organisation String        COMMENT 'Organisation',
    roles        Array(String) COMMENT 'Roles'
{{end}}
{{define "people"}}
SELECT
    JSONExtractString(e, 'place') AS place,
    splitByChar('/', place)[1] AS organisation,
    JSONExtract(e, 'roles', 'Array(String)') AS roles
FROM (SELECT arrayJoin(JSONExtractArrayRaw(content, 'people')) AS e FROM ({{template "counting" .}}))
ORDER BY place
{{end}}
{{define "purposes.comment"}}Purposes, and what they are part of{{end}}
{{define "purposes.columns"}}
    purpose String COMMENT 'Purpose, as movements name it',
    title   String COMMENT 'What it is',
    part_of String COMMENT 'Purpose that it is a part of; empty when none'
{{end}}
{{define "purposes"}}
SELECT
    JSONExtractString(e, 'id') AS purpose,
    JSONExtractString(e, 'title') AS title,
    JSONExtractString(e, 'part_of') AS part_of
FROM (SELECT arrayJoin(JSONExtractArrayRaw(content, 'purposes')) AS e FROM ({{template "counting" .}}))
ORDER BY purpose
{{end}}
{{define "record_sources.comment"}}Where records can come from, and what each source permits: a row for each permit{{end}}
{{define "record_sources.columns"}}
    source          String        COMMENT 'Source',
    title           String        COMMENT 'What it is',
    rule            String        COMMENT 'Where that is written',
    permitted_to    Array(String) COMMENT 'Kinds of organisation, and roles of people, that may use them; none in the only row of a source that forbids nothing',
    purposes        Array(String) COMMENT 'For these purposes, and what is part of them; none: for any',
    during_election Bool          COMMENT 'Only during an election period'
{{end}}
{{define "record_sources"}}
SELECT
    JSONExtractString(e, 'id') AS source,
    JSONExtractString(e, 'title') AS title,
    JSONExtractString(e, 'rule') AS rule,
    JSONExtract(permit, 'to', 'Array(String)') AS permitted_to,
    JSONExtract(permit, 'purposes', 'Array(String)') AS purposes,
    toBool(JSONExtractBool(permit, 'during_election')) AS during_election
FROM (SELECT arrayJoin(JSONExtractArrayRaw(content, 'sources')) AS e FROM ({{template "counting" .}}))
LEFT ARRAY JOIN JSONExtractArrayRaw(e, 'permits') AS permit
ORDER BY source, permitted_to, purposes, during_election
{{end}}
{{define "agreements.comment"}}Agreements, as the registry has them{{end}}
{{define "agreements.columns"}}
    agreement  String                         COMMENT 'Agreement, as movements name it',
    title      String                         COMMENT 'What it is',
    parties    Array(String)                  COMMENT 'Organisations that agreed',
    purposes   Array(String)                  COMMENT 'Purposes that it permits, and what is part of them; none: any',
    fields     Array(String)                  COMMENT 'Field categories that it permits; none: any',
    onward     Array(String)                  COMMENT 'Organisations to whom a party may pass records on; none: nobody',
    starts_at  Nullable(DateTime64(6, 'UTC')) COMMENT 'First instant at which it is in force; NULL: always was',
    ends_at    Nullable(DateTime64(6, 'UTC')) COMMENT 'First instant after it; NULL: never',
    destroy_by Nullable(DateTime64(6, 'UTC')) COMMENT 'First instant after the day by which records have to be destroyed; NULL: never'
{{end}}
{{define "agreements"}}
SELECT
    JSONExtractString(e, 'id') AS agreement,
    JSONExtractString(e, 'title') AS title,
    JSONExtract(e, 'parties', 'Array(String)') AS parties,
    JSONExtract(e, 'purposes', 'Array(String)') AS purposes,
    JSONExtract(e, 'fields', 'Array(String)') AS fields,
    JSONExtract(e, 'onward', 'Array(String)') AS onward,
    parseDateTime64BestEffortOrNull(JSONExtractString(e, 'start'), 6, 'UTC') AS starts_at,
    addDays(parseDateTime64BestEffortOrNull(JSONExtractString(e, 'end'), 6, 'UTC'), length(JSONExtractString(e, 'end')) = 10) AS ends_at,
    addDays(parseDateTime64BestEffortOrNull(JSONExtractString(e, 'destroy_by'), 6, 'UTC'), length(JSONExtractString(e, 'destroy_by')) = 10) AS destroy_by
FROM (SELECT arrayJoin(JSONExtractArrayRaw(content, 'agreements')) AS e FROM ({{template "counting" .}}))
ORDER BY agreement
{{end}}
{{define "policies.comment"}}What organisations say of themselves that they do{{end}}
{{define "policies.columns"}}
    organisation  String        COMMENT 'Organisation',
    published     String        COMMENT 'Where it is published',
    purposes      Array(String) COMMENT 'Purposes, with what is part of them; none: any',
    fields        Array(String) COMMENT 'Field categories; none: any',
    jurisdictions Array(String) COMMENT 'Where records may go; none: anywhere'
{{end}}
{{define "policies"}}
SELECT
    JSONExtractString(e, 'organisation') AS organisation,
    JSONExtractString(e, 'published') AS published,
    JSONExtract(e, 'purposes', 'Array(String)') AS purposes,
    JSONExtract(e, 'fields', 'Array(String)') AS fields,
    JSONExtract(e, 'jurisdictions', 'Array(String)') AS jurisdictions
FROM (SELECT arrayJoin(JSONExtractArrayRaw(content, 'policies')) AS e FROM ({{template "counting" .}}))
ORDER BY organisation
{{end}}
{{define "elections.comment"}}Election periods{{end}}
{{define "elections.columns"}}
    election     String                         COMMENT 'Election',
    jurisdiction String                         COMMENT 'Country, or part of one; empty: everywhere',
    starts_at    Nullable(DateTime64(6, 'UTC')) COMMENT 'First instant of the period',
    ends_at      Nullable(DateTime64(6, 'UTC')) COMMENT 'First instant after the period'
{{end}}
{{define "elections"}}
SELECT
    JSONExtractString(e, 'id') AS election,
    JSONExtractString(e, 'jurisdiction') AS jurisdiction,
    parseDateTime64BestEffortOrNull(JSONExtractString(e, 'start'), 6, 'UTC') AS starts_at,
    addDays(parseDateTime64BestEffortOrNull(JSONExtractString(e, 'end'), 6, 'UTC'), length(JSONExtractString(e, 'end')) = 10) AS ends_at
FROM (SELECT arrayJoin(JSONExtractArrayRaw(content, 'elections')) AS e FROM ({{template "counting" .}}))
ORDER BY election
{{end}}
{{define "internal_registry.comment"}}Internal: every version of the registry, as it was written: one may be there twice{{end}}
{{define "internal_registry"}}SELECT hash, applied_at, valid_from, content FROM {{.Name "registry"}}{{end}}
