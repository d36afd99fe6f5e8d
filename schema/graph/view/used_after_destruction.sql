{{/* Electors that a movement took out of a place at which they had been destroyed before, and which they had not entered
again; and which none of the movement's inputs held: those are known to have come by another. Events at a place, in
order: a movement takes from it (0), and then enters it (1); a destroy leaves what it kept (2) and takes away the rest
(3). What a place holds is what the last destroy kept, and what came since (stretch). derived_head is read once. */}}
{{define "used_after_destruction.comment"}}Movements that took electors out of a place after they were destroyed there, and before they entered it again; those that another input of the movement held are left out{{end}}
{{define "used_after_destruction.columns"}}
    occurred_at  DateTime64(6, 'UTC') COMMENT 'When the movement began (UTC)',
    org          String               COMMENT 'Organisation that published it',
    sidecar      String               COMMENT 'Sidecar that published it',
    id           String               COMMENT 'Id of the movement',
    kind         String               COMMENT 'Kind of movement',
    place        String               COMMENT 'Place that it took them from, where they had been destroyed',
    output       String               COMMENT 'Place that they went to',
    destroyed_at DateTime64(6, 'UTC') COMMENT 'When the last destroy there before the movement began',
    id_space     String               COMMENT 'What the identifiers are',
    key_id       String               COMMENT 'The secret under which the keys were made',
    electors     UInt64               COMMENT 'Different electors that had been destroyed'
{{end}}
{{define "used_after_destruction"}}
WITH
    (SELECT groupUniqArray(inputs[1]) FROM ({{template "current" .}}) WHERE removes = 1 AND {{.At "inputs[1]"}}) AS emptied,
    (SELECT groupUniqArrayArray(inputs) FROM ({{template "current" .}}) WHERE removes = 0 AND output != '' AND hasAny(inputs, emptied)) AS sources
SELECT u.occurred_at AS occurred_at, u.org AS org, u.sidecar AS sidecar, u.id AS id, u.kind AS kind, u.place AS place, u.output AS output,
    u.destroyed_at AS destroyed_at, k.id_space AS id_space, k.key_id AS key_id, toUInt64(groupBitmapMerge(u.used)) AS electors
FROM
(
    SELECT occurred_at, org, sidecar, id, kind, place, output, destroyed_at, space,
        bitmapAndnot(bitmapAnd(all_electors, gone), groupBitmapMergeState(held) OVER (PARTITION BY movement, space, bucket)) AS used
    FROM
    (
        SELECT e.movement AS movement, e.occurred_at AS occurred_at, e.org AS org, e.sidecar AS sidecar, e.id AS id, e.kind AS kind, e.place AS place,
            e.output AS output, e.destroyed_at AS destroyed_at, e.role AS role, s.space AS space, s.bucket AS bucket, s.electors AS all_electors,
            groupBitmapMergeState(if(e.role = 3, s.electors, bitmapBuild([]::Array(UInt32)))) OVER (PARTITION BY e.place, s.space, s.bucket ORDER BY e.rank, e.role ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS gone,
            groupBitmapMergeState(if(e.role IN (1, 2), s.electors, bitmapBuild([]::Array(UInt32)))) OVER (PARTITION BY e.place, s.space, s.bucket, e.stretch ORDER BY e.rank, e.role ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS held
        FROM
        (
            SELECT movement, form, generation, space, bucket, groupBitmapMergeState(electors) AS electors
            FROM
            (
                SELECT movement, 'listed' AS form, toUInt64(0) AS generation, space, bucket, {{template "electors_only" .}} AS electors
                FROM {{.Name "listed"}}
                WHERE digest = 0
                UNION ALL
                SELECT movement, 'listed', toUInt64(0), space, toUInt16(bitShiftRight(number, 16)) AS bucket, groupBitmapState(number)
                FROM ({{template "rows" .}})
                GROUP BY movement, space, bucket
                UNION ALL
                SELECT movement, if(form = 'S', 'whole', 'kept'), generation, space, bucket, {{template "electors_only" .}} AS electors
                FROM {{.Name "derived"}}
            )
            WHERE movement IN (SELECT movement FROM ({{template "current" .}}) WHERE hasAny(sources, arrayPushBack(inputs, output)))
            GROUP BY movement, form, generation, space, bucket
        ) AS s
        INNER JOIN
        (
            SELECT movement, occurred_at, org, sidecar, id, kind, output, rank, end.1 AS place, end.2 AS role, end.3 AS form, end.4 AS generation,
                sum(role = 2) OVER (PARTITION BY place ORDER BY rank, role ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS stretch,
                max(if(role = 3, occurred_at, toDateTime64(0, 6, 'UTC'))) OVER (PARTITION BY place ORDER BY rank, role ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS destroyed_at
            FROM
            (
                SELECT m.movement AS movement, m.occurred_at AS occurred_at, m.org AS org, m.sidecar AS sidecar, m.id AS id, m.kind AS kind, m.output AS output,
                    row_number() OVER (ORDER BY m.occurred_at, m.org, m.sidecar, m.id) AS rank,
                    if(m.mode = 'whole', h.carried, 0) AS g,
                    multiIf(
                        m.removes = 1, if(h.kept > 0, [(m.inputs[1], 2, 'kept', h.kept), (m.inputs[1], 3, m.mode, g)], []),
                        m.output = '', [],
                        arrayPushBack(arrayMap(p -> (p, 0, m.mode, g), m.inputs), (m.output, 1, m.mode, g))) AS ends
                FROM ({{template "current" .}}) AS m
                LEFT JOIN ({{template "heads" .}}) AS h ON h.movement = m.movement
                WHERE m.mode != 'counted' AND hasAny(sources, arrayPushBack(m.inputs, m.output))
            )
            ARRAY JOIN ends AS end
            WHERE has(sources, place)
        ) AS e ON e.movement = s.movement AND e.form = s.form AND e.generation = s.generation
    )
    WHERE role = 0
) AS u
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = u.space
WHERE bitmapCardinality(u.used) > 0 AND {{.At "u.place"}}
GROUP BY occurred_at, org, sidecar, id, kind, place, output, destroyed_at, id_space, key_id
ORDER BY occurred_at, org, sidecar, id, place, id_space, key_id
{{end}}
