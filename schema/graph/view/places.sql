{{define "places.comment"}}Every place that a movement names or a sidecar covers{{end}}
{{define "places.columns"}}
    place        String                         COMMENT 'Place: org/system/dataset',
    org          String                         COMMENT 'Organisation that owns it',
    person       Bool                           COMMENT 'Whether it is a person',
    entries      UInt64                         COMMENT 'Movements into it',
    departures   UInt64                         COMMENT 'Movements out of it, destroys left out',
    destroys     UInt64                         COMMENT 'Destroys that take electors away from it',
    attested     UInt64                         COMMENT 'Destroys that somebody else says took place',
    first_at     Nullable(DateTime64(6, 'UTC')) COMMENT 'When the first movement that names it began; NULL when none does',
    last_at      Nullable(DateTime64(6, 'UTC')) COMMENT 'When the last movement that names it began',
    sidecars     Array(String)                  COMMENT 'Sidecars that cover it, as org/sidecar; none: nobody records there'
{{end}}
{{define "places"}}
SELECT
    place,
    splitByChar('/', place)[1]                        AS org,
    toBool(splitByChar('/', place)[2] = 'people')     AS person,
    countIf(role = 'entry')                           AS entries,
    countIf(role = 'departure')                       AS departures,
    countIf(role = 'destroy')                         AS destroys,
    countIf(role = 'attested')                        AS attested,
    minOrNullIf(at, role != 'covered')                AS first_at,
    maxOrNullIf(at, role != 'covered')                AS last_at,
    arraySort(groupUniqArrayIf(by, role = 'covered')) AS sidecars
FROM
(
    SELECT r.1 AS place, r.2 AS role, m.occurred_at AS at, '' AS by
    FROM ({{template "current" .}}) AS m
    ARRAY JOIN arrayConcat(
        if(m.output = '', [], [(m.output, 'entry')]),
        arrayMap(i -> (i, multiIf(m.kind != 'destroy', 'departure', m.removes = 1, 'destroy', m.basis = 'attested', 'attested', 'unfinished')), m.inputs)) AS r
    UNION ALL
    SELECT arrayJoin(h.places) AS place, 'covered' AS role, h.at AS at, concat(h.org, '/', h.sidecar) AS by
    FROM {{.Name "heartbeat"}} AS h
    WHERE {{.AsOf "h.received_at"}}
)
GROUP BY place
ORDER BY place
{{end}}
