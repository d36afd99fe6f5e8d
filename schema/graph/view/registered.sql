{{/* From when on which version of the registry counts. */}}
{{define "periods"}}
    SELECT p.from AS from, r.content AS content
    FROM
    (
        SELECT valid_from AS from, argMax(best, n) AS hash
        FROM
        (
            SELECT valid_from, argMax(hash, (applied_at, hash)) OVER (ORDER BY valid_from, applied_at, hash ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS best,
                row_number() OVER (ORDER BY valid_from, applied_at, hash) AS n
            FROM {{.Name "registry"}}
        )
        GROUP BY valid_from
    ) AS p
    INNER JOIN (SELECT hash, any(content) AS content FROM {{.Name "registry"}} GROUP BY hash) AS r ON r.hash = p.hash
{{end}}
{{/* What was registered, and when: for every id that any version has, and every time at which another version began to
count, one row, which says what that version has of it, or nothing. ASOF finds what counted at a time. */}}
{{define "organisation_periods"}}
    SELECT p.from AS from, i.id AS id, p.entries[i.id] AS e
    FROM (SELECT 1 AS one, from, CAST((arrayMap(e -> JSONExtractString(e, 'id'), JSONExtractArrayRaw(content, 'organisations')), JSONExtractArrayRaw(content, 'organisations')), 'Map(String, String)') AS entries FROM ({{template "periods" .}})) AS p
    INNER JOIN (SELECT DISTINCT 1 AS one, JSONExtractString(arrayJoin(JSONExtractArrayRaw(content, 'organisations')), 'id') AS id FROM {{.Name "registry"}}) AS i ON i.one = p.one
{{end}}
{{define "agreement_periods"}}
    SELECT p.from AS from, i.id AS id, p.entries[i.id] AS e
    FROM (SELECT 1 AS one, from, CAST((arrayMap(e -> JSONExtractString(e, 'id'), JSONExtractArrayRaw(content, 'agreements')), JSONExtractArrayRaw(content, 'agreements')), 'Map(String, String)') AS entries FROM ({{template "periods" .}})) AS p
    INNER JOIN (SELECT DISTINCT 1 AS one, JSONExtractString(arrayJoin(JSONExtractArrayRaw(content, 'agreements')), 'id') AS id FROM {{.Name "registry"}}) AS i ON i.one = p.one
{{end}}
{{define "registered_movements.comment"}}Every movement with what the registry of its time says of organisations and agreement{{end}}
{{define "registered_movements.columns"}}
    occurred_at          DateTime64(6, 'UTC')           COMMENT 'When it began (UTC)',
    org                  String                         COMMENT 'Organisation that published it',
    sidecar              String                         COMMENT 'Sidecar that published it',
    id                   String                         COMMENT 'Id of the movement',
    kind                 String                         COMMENT 'Kind of movement',
    state                String                         COMMENT 'open or closed',
    outcome              String                         COMMENT 'completed, failed or retracted; empty while open',
    inputs               Array(String)                  COMMENT 'Places that records came from',
    output               String                         COMMENT 'Place that records went to; empty for a destroy',
    input_organisation   String                         COMMENT 'Organisation that owns the first input',
    input_name           String                         COMMENT 'Its name; empty when it is not registered',
    input_kind           String                         COMMENT 'What it is',
    input_jurisdiction   String                         COMMENT 'Where it is',
    output_organisation  String                         COMMENT 'Organisation that owns the output',
    output_name          String                         COMMENT 'Its name; empty when it is not registered',
    output_kind          String                         COMMENT 'What it is',
    output_jurisdiction  String                         COMMENT 'Where it is',
    purpose              String                         COMMENT 'Purpose given',
    fields               Array(String)                  COMMENT 'Field categories that travelled',
    agreement            String                         COMMENT 'Agreement given',
    agreement_registered Bool                           COMMENT 'Whether the registry had it then',
    agreement_parties    Array(String)                  COMMENT 'Who agreed',
    agreement_active     Bool                           COMMENT 'Whether it was in force then',
    destroy_by           Nullable(DateTime64(6, 'UTC')) COMMENT 'First instant after the day by which records have to be destroyed; NULL: never'
{{end}}
{{define "registered_movements"}}
SELECT
    m.occurred_at AS occurred_at, m.org AS org, m.sidecar AS sidecar, m.id AS id, m.kind AS kind, m.state AS state, m.outcome AS outcome,
    m.inputs AS inputs, m.output AS output,
    m.input_organisation AS input_organisation,
    JSONExtractString(i.e, 'name') AS input_name, JSONExtractString(i.e, 'kind') AS input_kind, JSONExtractString(i.e, 'jurisdiction') AS input_jurisdiction,
    m.output_organisation AS output_organisation,
    JSONExtractString(o.e, 'name') AS output_name, JSONExtractString(o.e, 'kind') AS output_kind, JSONExtractString(o.e, 'jurisdiction') AS output_jurisdiction,
    m.purpose AS purpose, m.fields AS fields, m.agreement AS agreement,
    toBool(a.e != '') AS agreement_registered,
    JSONExtract(a.e, 'parties', 'Array(String)') AS agreement_parties,
    toBool(a.e != '' AND ifNull(parseDateTime64BestEffortOrNull(JSONExtractString(a.e, 'start'), 6, 'UTC') <= m.occurred_at, 1)
        AND ifNull(addDays(parseDateTime64BestEffortOrNull(JSONExtractString(a.e, 'end'), 6, 'UTC'), length(JSONExtractString(a.e, 'end')) = 10) > m.occurred_at, 1)) AS agreement_active,
    addDays(parseDateTime64BestEffortOrNull(JSONExtractString(a.e, 'destroy_by'), 6, 'UTC'), length(JSONExtractString(a.e, 'destroy_by')) = 10) AS destroy_by
FROM
(
    SELECT occurred_at, org, sidecar, id, kind, state, outcome, inputs, output, splitByChar('/', inputs[1])[1] AS input_organisation,
        output_org AS output_organisation, purpose, fields, agreement
    FROM {{.Name "internal_listing"}}
    WHERE {{.AsOf "occurred_at"}}
) AS m
ASOF LEFT JOIN ({{template "organisation_periods" .}}) AS i ON i.id = m.input_organisation AND m.occurred_at >= i.from
ASOF LEFT JOIN ({{template "organisation_periods" .}}) AS o ON o.id = m.output_organisation AND m.occurred_at >= o.from
ASOF LEFT JOIN ({{template "agreement_periods" .}}) AS a ON a.id = m.agreement AND m.occurred_at >= a.from
ORDER BY occurred_at, org, sidecar, id
{{end}}
{{define "registered_places.comment"}}Every place that a movement names, a sidecar covers or the registry has, with what the registry says of it{{end}}
{{define "registered_places.columns"}}
    place        String        COMMENT 'Place: org/system/dataset',
    registered   Bool          COMMENT 'Whether the registry has its organisation, and it or its system',
    recorded     Bool          COMMENT 'Whether a movement names it or a sidecar covers it',
    owner        String        COMMENT 'Organisation that answers for it',
    name         String        COMMENT 'Name of that organisation; empty when it is not registered',
    kind         String        COMMENT 'What that organisation is',
    jurisdiction String        COMMENT 'Where the place is',
    sources      Array(String) COMMENT 'Where its records come from'
{{end}}
{{define "registered_places"}}
SELECT
    p.place AS place,
    toBool((d.place != '' OR s.system != '' OR h.place != '') AND g.organisation != '') AS registered,
    toBool(p.recorded) AS recorded,
    multiIf(d.owner != '', d.owner, s.owner != '', s.owner, p.org) AS owner,
    o.name AS name, o.kind AS kind,
    multiIf(d.jurisdiction != '', d.jurisdiction, s.jurisdiction != '', s.jurisdiction, o.jurisdiction) AS jurisdiction,
    if(notEmpty(d.sources), d.sources, s.sources) AS sources
FROM
(
    SELECT place, splitByChar('/', place)[1] AS org, arrayStringConcat(arraySlice(splitByChar('/', place), 1, 2), '/') AS system, max(recorded) AS recorded
    FROM
    (
        SELECT place, 1 AS recorded FROM {{.Of "places"}}
        UNION ALL
        SELECT place, 0 FROM {{.Of "datasets"}}
        UNION ALL
        SELECT place, 0 FROM {{.Of "people"}}
    )
    GROUP BY place
) AS p
LEFT JOIN {{.Of "datasets"}} AS d ON d.place = p.place
LEFT JOIN {{.Of "systems"}} AS s ON s.system = p.system
LEFT JOIN {{.Of "people"}} AS h ON h.place = p.place
LEFT JOIN {{.Of "organisations"}} AS g ON g.organisation = p.org
LEFT JOIN {{.Of "organisations"}} AS o ON o.organisation = multiIf(d.owner != '', d.owner, s.owner != '', s.owner, p.org)
ORDER BY place
{{end}}
{{define "registered_holdings.comment"}}How many electors each place holds, with its organisation, jurisdiction, and the agreements under which records entered it{{end}}
{{define "registered_holdings.columns"}}
    place        String        COMMENT 'Place',
    owner        String        COMMENT 'Organisation that answers for it',
    name         String        COMMENT 'Name of that organisation; empty when it is not registered',
    kind         String        COMMENT 'What that organisation is',
    jurisdiction String        COMMENT 'Where the place is',
    registered   Bool          COMMENT 'Whether the registry has the place',
    agreements   Array(String) COMMENT 'Agreements that movements into it were given under',
    id_space     String        COMMENT 'What the identifiers are',
    key_id       String        COMMENT 'The secret under which the keys were made',
    electors     UInt64        COMMENT 'Different electors held'
{{end}}
{{define "registered_holdings"}}
SELECT e.place AS place, p.owner AS owner, p.name AS name, p.kind AS kind, p.jurisdiction AS jurisdiction, p.registered AS registered,
    ifNull(a.agreements, []) AS agreements, e.id_space AS id_space, e.key_id AS key_id, e.electors AS electors
FROM (SELECT place, id_space, key_id, toUInt64(sum(bitmapCardinality(electors))) AS electors FROM {{.OfAt "holding"}} GROUP BY place, id_space, key_id) AS e
LEFT JOIN {{.Of "registered_places"}} AS p ON p.place = e.place
LEFT JOIN
(
    SELECT output AS place, arraySort(groupUniqArrayIf(agreement, agreement != '')) AS agreements
    FROM {{.Of "movements"}}
    WHERE output != ''
    GROUP BY output
) AS a ON a.place = e.place
ORDER BY place, id_space, key_id
{{end}}
