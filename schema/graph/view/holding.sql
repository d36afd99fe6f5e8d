{{/* What each place holds and what reached it, in one pass: the steps of a place are the movements into it and the
destroys there; a stretch is the steps between two destroys. Few levels of subqueries: ClickHouse plans each level
again for every one around it. */}}
{{define "steps"}}
SELECT
    movement,
    if(removes = 1, inputs[1], output) AS place,
    removes AS removal,
    sum(removal) OVER (PARTITION BY place ORDER BY occurred_at, org, sidecar, id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - removal AS stretch
FROM ({{template "current" .}})
WHERE (output != '' OR removes = 1) AND mode = 'listed' AND {{.At "place"}}
{{end}}
{{define "held"}}
WITH steps AS ({{template "steps" .}})
SELECT
    place, space, bucket, came,
    -- less whatever was destroyed at the end of the stretch or later
    bitmapAndnot(came, groupBitmapMergeState(went) OVER (PARTITION BY place, space, bucket ORDER BY stretch DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) AS stayed
FROM
(
    SELECT
        place, stretch, space, bucket,
        groupBitmapMergeStateIf(electors, removal = 0) AS came,
        groupBitmapMergeStateIf(electors, removal = 1) AS went
    FROM
    (
        SELECT steps.place AS place, steps.stretch AS stretch, steps.removal AS removal, s.space AS space, s.bucket AS bucket, s.electors AS electors
        FROM ({{template "bitmaps" .}}) AS s
        INNER JOIN steps ON steps.movement = s.movement
        WHERE s.movement IN (SELECT movement FROM steps)
        UNION ALL
        SELECT steps.place AS place, steps.stretch AS stretch, steps.removal AS removal, r.space AS space,
            toUInt16(bitShiftRight(r.number, 16)) AS bucket, groupBitmapState(r.number) AS electors
        FROM ({{template "rows" .}}) AS r
        INNER JOIN steps ON steps.movement = r.movement
        WHERE r.movement IN (SELECT movement FROM steps)
        GROUP BY place, stretch, removal, space, bucket
    )
    GROUP BY place, stretch, space, bucket
)
{{end}}
{{define "set.columns"}}
    org      String                                 COMMENT 'Organisation that owns the place',
    place    String                                 COMMENT 'Place',
    id_space String                                 COMMENT 'What the identifiers are',
    key_id   String                                 COMMENT 'The secret under which the keys were made',
    bucket   UInt16                                 COMMENT 'Part of the set; the parts of a set are disjoint',
    electors AggregateFunction(groupBitmap, UInt32) COMMENT 'Set of electors: bitmapCardinality counts it, bitmapAnd and bitmapAndnot combine it bucket by bucket, groupBitmapMergeState unites'
{{end}}
{{define "reached.columns"}}{{template "set.columns" .}}{{end}}
{{define "reached.comment"}}reached(p): the electors in any listed movement into a place, as sets in buckets. A destroy takes nothing away{{end}}
{{define "reached"}}
SELECT splitByChar('/', h.place)[1] AS org, h.place AS place, k.id_space AS id_space, k.key_id AS key_id, h.bucket AS bucket,
    groupBitmapMergeState(h.came) AS electors
FROM ({{template "held" .}}) AS h
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = h.space
GROUP BY place, id_space, key_id, bucket
HAVING bitmapCardinality(electors) > 0
{{end}}
{{define "holding.columns"}}{{template "set.columns" .}}{{end}}
{{define "holding.comment"}}holding(p): the electors that entered a place and were not destroyed there since their last entry, as sets in buckets{{end}}
{{define "holding"}}
SELECT splitByChar('/', h.place)[1] AS org, h.place AS place, k.id_space AS id_space, k.key_id AS key_id, h.bucket AS bucket,
    groupBitmapMergeState(h.stayed) AS electors
FROM ({{template "held" .}}) AS h
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = h.space
GROUP BY place, id_space, key_id, bucket
HAVING bitmapCardinality(electors) > 0
{{end}}
