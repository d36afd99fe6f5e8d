{{/* Which copies are left of what was destroyed: a walk (see walk.sql) from every place with a destroy, of the electors that are
gone there: destroyed, and not entered again. What it brought to a place is left there unless destroyed after. */}}
{{define "gone"}}
destroyed AS
(
    SELECT inputs[1] AS place, rank, space, part, electors FROM sets
    WHERE removes = 1 AND movement IN (SELECT movement FROM {{.Name "derived_head"}} WHERE form = 'kept')
),
gone AS
(
    SELECT place, space, part, bitmapAndnot(groupBitmapMergeState(went), groupBitmapMergeState(stayed)) AS electors
    FROM
    (
        SELECT place, space, part, electors AS went, {{template "none"}} AS stayed FROM destroyed
        UNION ALL
        SELECT place, space, bucket AS part, {{template "none"}} AS went, stayed FROM ({{template "held" .}}) WHERE place IN (SELECT inputs[1] FROM needed WHERE removes = 1)
    )
    GROUP BY place, space, part
    HAVING bitmapCardinality(electors) > 0
)
{{end}}
{{define "copies"}}{{template "copies.coarse" .Coarse}}{{end}}
{{define "copies.coarse"}}
WITH RECURSIVE
{{template "moves" .}},
( -- what can have gone on from an emptied place, and what was destroyed there
    WITH
        arrayDistinct(arrayMap(m -> m.7[1], arrayFilter(m -> m.6 = 1 AND {{.At "m.7[1]"}}, moves))) AS emptied,
        arrayFold((seen, m) -> if(m.8 != '' AND hasAny(seen, m.7), arrayDistinct(arrayPushBack(seen, m.8)), seen), moves, emptied) AS seen,
        arrayDistinct(arrayFlatten(arrayMap(m -> m.7, arrayFilter(m -> length(m.7) > 1 AND hasAny(seen, m.7), moves)))) AS merged
    SELECT if({{.TooMuch "length(emptied) * length(moves)" 10000}} = 0, arrayFilter(m -> m.6 = 1 AND has(seen, m.7[1]) OR m.8 != '' AND (hasAny(seen, m.7) OR has(merged, m.8)), moves), [])
) AS needs,
{{template "needed" .}},
{{template "edge" .}},
{{template "gone" .}},
walk AS
(
    SELECT toUInt32(1) AS hop, l.label AS label, e.part AS part, e.space AS space, e.movement AS movement, e.rank AS rank, e.at AS at,
        e.input AS head, e.output AS tail, e.electors AS electors, e.unknown AS unknown,
        if(head = label OR startsWith(head, concat(label, '/')), bitmapAnd(e.electors, g.electors), {{template "none"}}) AS fresh,
        {{template "none"}} AS carried
    FROM edge AS e
    INNER JOIN (SELECT DISTINCT space, part, arrayJoin(if({{.AtText}} = '', [place, splitByChar('/', place)[1]], [{{.AtText}}])) AS label FROM gone WHERE {{.At "place"}}) AS l ON l.space = e.space AND l.part = e.part
    LEFT JOIN gone AS g ON g.place = e.input AND g.space = e.space AND g.part = e.part
    UNION ALL
    {{template "round" .}}
)
SELECT label AS at, splitByChar('/', tail)[1] AS org, arrayJoin(['', tail]) AS place, k.id_space AS id_space, k.key_id AS key_id,
    toUInt64(groupBitmapMerge(left_there)) AS electors, min(at_time) AS since, max(at_time) AS last_at
FROM
(
    SELECT w.label AS label, w.space AS space, w.tail AS tail, w.at AS at_time,
        bitmapAndnot(w.fresh, arrayFold((acc, d) -> if(d.1 > w.rank, bitmapOr(acc, d.2), acc), d.all, {{template "none"}})) AS left_there
    FROM (SELECT label, space, part, rank, at, tail, fresh FROM walk WHERE bitmapCardinality(fresh) > 0) AS w
    LEFT JOIN (SELECT place, space, part, groupArray((rank, electors)) AS all FROM destroyed GROUP BY place, space, part) AS d
        ON d.place = w.tail AND d.space = w.space AND d.part = w.part
) AS c
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = c.space
WHERE bitmapCardinality(left_there) > 0 AND label != if(place = '', org, tail)
GROUP BY label, org, place, id_space, key_id
ORDER BY label, org, place, id_space, key_id
{{end}}
{{define "copies.comment"}}Which copies are left of what was destroyed at a place, or at the places of an organisation, on the word of the owner: where its electors went on from there, along any routes, whenever they left, and were not destroyed since{{end}}
{{define "copies.columns"}}
    at       String               COMMENT 'The place, or organisation, where the electors were destroyed and have not come back to the same place',
    org      String               COMMENT 'Organisation where copies are left',
    place    String               COMMENT 'Place where they are left; empty: the organisation as a whole, each elector counted once',
    id_space String               COMMENT 'What the identifiers are',
    key_id   String               COMMENT 'The secret under which the keys were made',
    electors UInt64               COMMENT 'Different electors left there',
    since    DateTime64(6, 'UTC') COMMENT 'When the first of the movements that brought them began',
    last_at  DateTime64(6, 'UTC') COMMENT 'When the last of these movements began'
{{end}}
{{define "destroyed"}}{{template "destroyed.coarse" .Coarse}}{{end}}
{{define "destroyed.coarse"}}
WITH
{{template "moves" .}},
(SELECT arrayFilter(m -> m.6 = 1 AND {{.At "m.7[1]"}}, moves)) AS needs,
{{template "needed" .}},
{{template "sets" .}},
{{template "gone" .}}
SELECT splitByChar('/', g.place)[1] AS org, arrayJoin(['', g.place]) AS place, k.id_space AS id_space, k.key_id AS key_id,
    toUInt64(groupBitmapMerge(g.electors)) AS electors
FROM gone AS g
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = g.space
GROUP BY org, place, id_space, key_id
ORDER BY org, place, id_space, key_id
{{end}}
{{define "destroyed.comment"}}How many electors were destroyed at each place on the word of the owner, and have not come back to it; see copies for what is left of them elsewhere{{end}}
{{define "destroyed.columns"}}
    org      String COMMENT 'Organisation that owns the place',
    place    String COMMENT 'Place; empty: any place of the organisation, each elector counted once',
    id_space String COMMENT 'What the identifiers are',
    key_id   String COMMENT 'The secret under which the keys were made',
    electors UInt64 COMMENT 'Different electors destroyed there, and not entered again'
{{end}}
