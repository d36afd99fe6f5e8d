{{define "recorded_organisations.comment"}}Every organisation that owns a place which a movement names or a sidecar covers: what movements say of it. organisations has what the registry says{{end}}
{{define "recorded_organisations.columns"}}
    org           String                         COMMENT 'Organisation',
    places        UInt64                         COMMENT 'Its places, people left out',
    people        UInt64                         COMMENT 'People of it that movements name',
    received      UInt64                         COMMENT 'Movements into it from others',
    gave          UInt64                         COMMENT 'Movements out of it to others',
    within        UInt64                         COMMENT 'Movements between its own places, and to its people',
    destroys      UInt64                         COMMENT 'Destroys that take electors away from its places',
    attested      UInt64                         COMMENT 'Destroys at its places that somebody else says took place',
    received_from Array(String)                  COMMENT 'Organisations that it received from',
    gave_to       Array(String)                  COMMENT 'Organisations that it gave to',
    first_at      Nullable(DateTime64(6, 'UTC')) COMMENT 'When the first movement that names it began; NULL when none does',
    last_at       Nullable(DateTime64(6, 'UTC')) COMMENT 'When the last movement that names it began',
    sidecars      Array(String)                  COMMENT 'Sidecars that cover places of it, as org/sidecar; none: nobody records there'
{{end}}
{{define "recorded_organisations"}}
SELECT
    splitByChar('/', place)[1] AS org,
    uniqExactIf(place, splitByChar('/', place)[2] != 'people') AS places,
    uniqExactIf(place, splitByChar('/', place)[2] = 'people')  AS people,
    uniqExactIf(movement, role = 'entry' AND arrayExists(o -> o != org, others))     AS received,
    uniqExactIf(movement, role = 'departure' AND arrayExists(o -> o != org, others)) AS gave,
    uniqExactIf(movement, role = 'entry' AND has(others, org))                       AS within,
    uniqExactIf(movement, role = 'destroy')  AS destroys,
    uniqExactIf(movement, role = 'attested') AS attested,
    arraySort(groupUniqArrayArrayIf(arrayFilter(o -> o != org, others), role = 'entry'))     AS received_from,
    arraySort(groupUniqArrayArrayIf(arrayFilter(o -> o != org, others), role = 'departure')) AS gave_to,
    minOrNullIf(at, role != 'covered') AS first_at,
    maxOrNullIf(at, role != 'covered') AS last_at,
    arraySort(groupUniqArrayIf(by, role = 'covered')) AS sidecars
FROM
(
    SELECT m.movement AS movement, r.1 AS place, r.2 AS role, r.3 AS others, m.occurred_at AS at, '' AS by
    FROM ({{template "current" .}}) AS m
    ARRAY JOIN arrayConcat(
        if(m.output = '', [], [(m.output, 'entry', arrayMap(i -> splitByChar('/', i)[1], m.inputs))]),
        arrayMap(i -> (i, multiIf(m.kind != 'destroy', 'departure', m.removes = 1, 'destroy', m.basis = 'attested', 'attested', 'unfinished'),
            if(m.output = '', [], [splitByChar('/', m.output)[1]])), m.inputs)) AS r
    UNION ALL
    SELECT toUInt32(0), arrayJoin(h.places) AS place, 'covered', [], h.at AS at, concat(h.org, '/', h.sidecar) AS by
    FROM {{.Name "heartbeat"}} AS h
    WHERE {{.AsOf "h.received_at"}}
)
GROUP BY org
ORDER BY org
{{end}}
