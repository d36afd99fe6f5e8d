{{/* How electors went on from a place (reach) or came to it (sources), one round for each hop, along edges (see edge.sql):
from their head to their tail, which are input and output for reach, and output and input for sources, where time
runs backwards. A label says from where a walk began, so that walks from many places are one.

In the first round every edge that leaves the place asked carries all its electors. In each later round an edge
carries those of its electors that arrived at its head before it, in the round before, and that it did not carry
already: so that each elector is carried once by each edge, in the round of its fewest hops, whatever cycles there
are, and the rounds end when a part of the set has nothing new.

Each window is within one round. A view made with CREATE VIEW expands the outermost use of a recursive CTE, so
that its last SELECT reads the first round and one more step from all the rounds: which is all the rounds too,
as long as a step keeps the rounds apart. After a restart ClickHouse reads the same view as written here. */}}
{{define "round"}}
SELECT hop, label, part, space, movement, rank, at, head, tail, electors, unknown, fresh, carried
FROM
(
    SELECT hop, label, part, space, movement, rank, at, head, tail, electors, unknown, fresh, carried,
        max(bitmapCardinality(fresh)) OVER (PARTITION BY hop, label, part, space) AS more
    FROM
    (
        -- so_far: all that arrived at the place up to here, where a movement leaves (0) before it arrives (1)
        SELECT toUInt32(hop + 1) AS hop, label, part, space, movement, rank, at, head, tail, electors, unknown,
            bitmapOr(walk.carried, walk.fresh) AS carried,
            groupBitmapMergeState(if(end.2 = 1, walk.fresh, {{template "none"}})) OVER (PARTITION BY walk.hop, label, part, space, end.1 ORDER BY rank, end.2 ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS so_far,
            bitmapAndnot(bitmapAnd(electors, so_far), carried) AS fresh,
            end.2 AS role
        FROM walk
        ARRAY JOIN [(head, 0), (tail, 1)] AS end
    )
    WHERE role = 0
)
WHERE more > 0
{{end}}
{{/* The movements that a walk over the places can take at all, by label; and, in needed, those that went into the inputs
of such as have several too: only their electors are read. */}}
{{define "touched"}}
(
    SELECT groupArray((label, one.1, one.2))
    FROM
    (
        WITH
            arrayFilter(m -> m.8 != '', moves) AS ways,
            arrayDistinct(arrayFlatten(arrayMap(p -> [p, splitByChar('/', p)[1]], arrayFlatten(arrayMap(m -> {{.HeadsOf "m"}}, ways))))) AS heads
        SELECT ways, arrayJoin(if({{.AtText}} = '', heads, [{{.AtText}}])) AS label,
            arrayFold(
                (seen, m) -> if(arrayExists(p -> {{template "begins"}}, {{.HeadsOf "m"}}) OR hasAny(seen, {{.HeadsOf "m"}}), arrayDistinct(arrayConcat(seen, {{.TailsOf "m"}})), seen),
                {{.InOrder "ways"}}, []::Array(String)) AS seen,
            arrayMap(m -> arrayExists(p -> {{template "begins"}}, {{.HeadsOf "m"}}) OR hasAny(seen, {{.HeadsOf "m"}}), ways) AS takes,
            arrayDistinct(arrayFlatten(arrayMap((m, t) -> if(t AND length(m.7) > 1, m.7, []), ways, takes))) AS merged
    )
    ARRAY JOIN arrayFilter(x -> x.3, arrayMap((m, t) -> (m.2, t, t OR has(merged, m.8)), ways, takes)) AS one
) AS touched,
(SELECT if({{.TooMuch "length(touched)" 10000}} = 0, arrayFilter(m -> m.2 IN (SELECT (arrayJoin(touched) AS t).2), moves), [])) AS needs
{{end}}
{{define "begins"}}(p = label OR startsWith(p, concat(label, '/'))){{end}}
{{define "walk"}}
WITH RECURSIVE
{{template "moves" .}},
{{template "touched" .}},
{{template "needed" .}},
{{template "edge" .}},
walk AS
(
    SELECT toUInt32(1) AS hop, t.label AS label, e.part AS part, e.space AS space, e.movement AS movement, {{.Sign}}e.rank AS rank, e.at AS at,
        {{.Head}} AS head, {{.Tail}} AS tail, e.electors AS electors, e.unknown AS unknown,
        if(head = label OR startsWith(head, concat(label, '/')), electors, {{template "none"}}) AS fresh,
        {{template "none"}} AS carried
    FROM edge AS e
    INNER JOIN (SELECT t.1 AS label, t.2 AS movement FROM (SELECT arrayJoin(touched) AS t) WHERE t.3) AS t ON t.movement = e.movement
    UNION ALL
    {{template "round" .}}
)
SELECT label AS at, splitByChar('/', tail)[1] AS org, arrayJoin(['', tail]) AS place, k.id_space AS id_space, k.key_id AS key_id,
    toUInt64(groupBitmapMerge(w.fresh)) AS electors, min(w.hop) AS hops, min(w.at) AS first_at, max(w.at) AS last_at,
    toUInt64(groupBitmapMerge(bitmapAnd(w.fresh, w.unknown))) AS origin_unknown
FROM (SELECT hop, label, space, at, tail, fresh, unknown FROM walk WHERE bitmapCardinality(fresh) > 0) AS w
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = w.space
WHERE label != if(place = '', org, tail)
GROUP BY label, org, place, id_space, key_id
ORDER BY label, hops, org, place, id_space, key_id
{{end}}
{{define "reach"}}{{template "walk" .Coarse.Downstream}}{{end}}
{{define "sources"}}{{template "walk" .Coarse.Upstream}}{{end}}
{{define "walk.columns"}}
    at             String               COMMENT 'The place or organisation asked about: SELECT … WHERE at = …, or quicker the twin with at',
    org            String               COMMENT 'Organisation at the other end of the routes',
    place          String               COMMENT 'Place at the other end; empty: the organisation as a whole, each elector counted once',
    id_space       String               COMMENT 'What the identifiers are',
    key_id         String               COMMENT 'The secret under which the keys were made',
    electors       UInt64               COMMENT 'Different electors that routes carried, whatever the routes',
    hops           UInt32               COMMENT 'Fewest movements on a route',
    first_at       DateTime64(6, 'UTC') COMMENT 'When the first movement that arrived there (reach), or left there (sources), began',
    last_at        DateTime64(6, 'UTC') COMMENT 'When the last of them began',
    origin_unknown UInt64               COMMENT 'Of the electors, those that came out of a movement of several inputs none of which is recorded to have had them'
{{end}}
{{define "reach.columns"}}{{template "walk.columns" .}}{{end}}
{{define "sources.columns"}}{{template "walk.columns" .}}{{end}}
{{define "walk.rule"}}. What a movement with several inputs carried counts for the inputs that the electors are recorded to have entered before; electors recorded at none of them count for the inputs that nobody is recorded to have entered or, when there is none, for all: origin_unknown counts these{{end}}
{{define "reach.comment"}}Where electors went from a place or an organisation: every place and organisation to which a route leads; place is empty for an organisation as a whole{{template "walk.rule"}}{{end}}
{{define "sources.comment"}}Where electors at a place or an organisation came from: reach, backwards{{template "walk.rule"}}{{end}}
