{{define "coverage.comment"}}What could change the answers: movements that are open, failed, counted, whole with nothing known at an input, of an unknown kind, or so close to others that clocks decide their order, and chunks of unknown movements{{end}}
{{define "coverage.columns"}}
    code        String                         COMMENT 'open, failed, counted, whole, chunks_missing, unknown_kind, clock, attested, unknown_movement',
    occurred_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the movement began; NULL when only chunks of it are known',
    org         String                         COMMENT 'Organisation that published it',
    sidecar     String                         COMMENT 'Sidecar that published it',
    id          String                         COMMENT 'Id of the movement',
    kind        String                         COMMENT 'Kind of movement',
    inputs      Array(String)                  COMMENT 'Places that records came from',
    output      String                         COMMENT 'Place that records went to',
    count       UInt64                         COMMENT 'Records whose electors are not known (counted), chunks missing, inputs that nothing is known to have entered before (whole), or movements before or after it by less than the clocks are off (clock)'
{{end}}
{{define "coverage"}}
SELECT code, occurred_at, org, sidecar, id, kind, inputs, output, count
FROM ({{template "internal_coverage" .}} UNION ALL {{template "internal_clock" .}})
ORDER BY code, occurred_at, org, sidecar, id
{{end}}
{{define "internal_coverage.comment"}}Internal: coverage without what clocks decide, which is seldom asked for{{end}}
{{define "internal_coverage"}}
SELECT code, occurred_at, org, sidecar, id, kind, inputs, output, count
FROM
(
    SELECT
        c.1 AS code, toNullable(m.occurred_at) AS occurred_at, m.org AS org, m.sidecar AS sidecar, m.id AS id,
        m.kind AS kind, m.inputs AS inputs, m.output AS output, c.2 AS count
    FROM
    (
        SELECT
            movement, toString(r.org) AS org, toString(r.sidecar) AS sidecar, toString(r.id) AS id, r.occurred_at AS occurred_at,
            toString(r.kind) AS kind, r.inputs AS inputs, toString(r.output) AS output,
            -- codes that the form of the movement alone decides, and what it announced
            arrayFilter(c -> c.1 != '',
            [
                (if(r.state = 'open', 'open', ''), toUInt64(0)),
                (if(r.outcome = 'failed', 'failed', ''), toUInt64(0)),
                (if(r.mode = 'counted', 'counted', ''), r.records),
                (if(r.mode = 'listed' AND arraySum(r.set_unkeyed) > 0, 'counted', ''), arrayMax(arrayPushBack(r.set_unkeyed, 0))),
                (if(r.known_kind = 0, 'unknown_kind', ''), toUInt64(0)),
                (if(r.kind = 'destroy' AND r.effective_basis = 'attested', 'attested', ''), toUInt64(0))
            ]) AS codes,
            if(r.mode = 'listed' AND r.state = 'closed', r.set_chunks, []) AS announced
        FROM {{template "latest" .}} AS r
        WHERE {{template "real" .}}
    ) AS m
    LEFT JOIN
    (
        SELECT movement, groupUniqArray((`set`, chunk)) AS chunks FROM {{.Name "chunk"}} GROUP BY movement
    ) AS r ON r.movement = m.movement
    -- a chunk that was not announced stands for none that was
    ARRAY JOIN arrayConcat(m.codes, arrayFilter(c -> c.2 > 0,
        [('chunks_missing', toUInt64(arraySum(m.announced) - arrayCount(c -> c.2 < m.announced[c.1 + 1], r.chunks)))])) AS c
    UNION ALL
    SELECT 'whole', toNullable(any(m.occurred_at)), any(m.org), any(m.sidecar), any(m.id), any(m.kind), any(m.inputs), any(m.output), count()
    FROM
    (
        SELECT movement, occurred_at, org, sidecar, id, kind, inputs, output, arrayJoin(inputs) AS input
        FROM ({{template "current" .}})
        WHERE mode = 'whole'
    ) AS m
    LEFT JOIN
    (
        SELECT output AS place, min((occurred_at, org, sidecar, id)) AS first
        FROM ({{template "current" .}})
        WHERE output != '' AND mode != 'counted'
        GROUP BY place
    ) AS e ON e.place = m.input
    WHERE e.place = '' OR e.first >= (m.occurred_at, m.org, m.sidecar, m.id)
    GROUP BY movement
    UNION ALL
    SELECT
        'unknown_movement', CAST(NULL, 'Nullable(DateTime64(6, \'UTC\'))'), toString(n.org), toString(n.sidecar), toString(n.id),
        '', [], '', uniqExact((c.`set`, c.chunk))
    FROM {{.Name "chunk"}} AS c
    INNER JOIN {{.Name "movement_number"}} AS n ON n.movement = c.movement
    WHERE c.movement NOT IN (SELECT movement FROM {{.Name "movement_revision"}})
    GROUP BY n.org, n.sidecar, n.id
)
{{end}}
