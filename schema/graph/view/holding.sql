{{/* What each place holds and what reached it, in one pass. The electors of every movement into a place reached it.
What it holds is what the last destroy there kept, and what came since: kept sets are derived (see derived), so that
nothing is folded over the whole history, and a destroy counts from the moment on that its kept set does. steps are
the sets to unite, each of one movement, in one form and generation. Few levels of subqueries: ClickHouse plans each
level again for every one around it. derived_head is read once: a cascade counts whole or not at all. */}}
{{define "steps"}}
SELECT place, movement, if(removes = 1, 'kept', mode) AS form, multiIf(removes = 1, kept, mode = 'whole', carried, 0) AS generation,
    removes = 0 AS comes, stretch = last AS stays
FROM
(
    SELECT
        m.movement AS movement, m.mode AS mode, m.removes AS removes, h.carried AS carried, h.kept AS kept,
        if(m.removes = 1, m.inputs[1], m.output) AS place,
        sum(m.removes = 1 AND h.kept > 0) OVER (PARTITION BY place) AS last,
        sum(m.removes = 1 AND h.kept > 0) OVER (PARTITION BY place ORDER BY m.occurred_at, m.org, m.sidecar, m.id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS stretch
    FROM ({{template "current" .}}) AS m
    LEFT JOIN
    ({{template "heads" .}}) AS h ON h.movement = m.movement
    WHERE (m.output != '' OR m.removes = 1) AND m.mode != 'counted' AND {{.At "place"}}
)
WHERE removes = 0 OR kept > 0 AND stretch = last
{{end}}
{{define "stepped"}}SELECT movement FROM ({{template "current" .}}) WHERE {{.At "if(removes = 1, inputs[1], output)"}}{{end}}
{{define "held"}}
SELECT steps.place AS place, s.space AS space, s.part AS bucket,
    groupBitmapMergeStateIf(s.electors, steps.comes = 1) AS came,
    groupBitmapMergeStateIf(s.electors, steps.stays = 1) AS stayed
FROM
(
    SELECT movement, 'listed' AS form, toUInt64(0) AS generation, space, {{.Part "bucket"}} AS part, {{template "electors_only" .}} AS electors
    FROM {{.Name "listed"}}
    WHERE digest = 0 AND movement IN ({{template "stepped" .}})
    UNION ALL
    SELECT movement, 'listed', toUInt64(0), space, {{.Part "toUInt16(bitShiftRight(number, 16))"}} AS part, groupBitmapState(number)
    FROM ({{template "rows" .}})
    WHERE movement IN ({{template "stepped" .}})
    GROUP BY movement, space, part
    UNION ALL
    SELECT movement, if(form = 'S', 'whole', 'kept'), generation, space, {{.Part "bucket"}} AS part, {{template "electors_only" .}} AS electors
    FROM {{.Name "derived"}}
    WHERE movement IN ({{template "stepped" .}})
) AS s
INNER JOIN ({{template "steps" .}}) AS steps ON steps.movement = s.movement AND steps.form = s.form AND steps.generation = s.generation
GROUP BY place, space, bucket
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
{{define "reached.comment"}}reached(p): the electors in any movement into a place, listed or derived, as sets in buckets. A destroy takes nothing away{{end}}
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
