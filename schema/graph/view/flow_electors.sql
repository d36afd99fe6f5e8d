{{define "flow_electors.comment"}}From where to where electors went, each counted once on each way: by place, and by organisation (both places empty). What a movement with several inputs carried counts as in reach{{end}}
{{define "flow_electors.columns"}}
    from_org       String               COMMENT 'Organisation that they came from',
    from_place     String               COMMENT 'Place that they came from; empty, with to_place: from any place of the one organisation to any of the other',
    to_org         String               COMMENT 'Organisation that they went to',
    to_place       String               COMMENT 'Place that they went to',
    id_space       String               COMMENT 'What the identifiers are',
    key_id         String               COMMENT 'The secret under which the keys were made',
    electors       UInt64               COMMENT 'Different electors',
    origin_unknown UInt64               COMMENT 'Of these, those that came out of a movement of several inputs none of which is recorded to have had them',
    movements      UInt64               COMMENT 'Movements that carried them',
    first_at       DateTime64(6, 'UTC') COMMENT 'When the first began',
    last_at        DateTime64(6, 'UTC') COMMENT 'When the last began'
{{end}}
{{define "flow_electors"}}{{template "flow_electors.coarse" .Coarse}}{{end}}
{{define "flow_electors.coarse"}}
WITH
{{template "moves" .}},
(
    WITH
        arrayFilter(m -> m.8 != '' AND ({{.At "m.8"}} OR arrayExists(p -> {{.At "p"}}, m.7)), moves) AS touched,
        arrayDistinct(arrayFlatten(arrayMap(m -> m.7, arrayFilter(m -> length(m.7) > 1, touched)))) AS merged
    SELECT arrayFilter(m -> m.8 != '' AND (has(merged, m.8) OR {{.At "m.8"}} OR arrayExists(p -> {{.At "p"}}, m.7)), moves)
) AS needs,
{{template "needed" .}},
{{template "edge" .}}
SELECT splitByChar('/', f.input)[1] AS from_org, ends.1 AS from_place, splitByChar('/', f.output)[1] AS to_org, ends.2 AS to_place,
    k.id_space AS id_space, k.key_id AS key_id,
    toUInt64(groupBitmapMerge(f.electors)) AS electors, toUInt64(groupBitmapMerge(f.unknown)) AS origin_unknown,
    uniqExact(f.movement) AS movements, min(f.at) AS first_at, max(f.at) AS last_at
FROM (SELECT movement, at, input, output, space, electors, unknown FROM edge WHERE bitmapCardinality(electors) > 0) AS f
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = f.space
ARRAY JOIN [('', ''), (f.input, f.output)] AS ends
WHERE {{.At "f.input"}} OR {{.At "f.output"}}
GROUP BY from_org, from_place, to_org, to_place, id_space, key_id
ORDER BY from_org, from_place, to_org, to_place, id_space, key_id
{{end}}
