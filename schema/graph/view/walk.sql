{{/* How electors went on from a place (reach) or came to it (sources), one round for each hop.

A movement is one edge for each of its inputs: from its head to its tail, which are input and output for reach,
and output and input for sources, where time runs backwards. An edge carries the electors that count for its input:

  * all of the movement's, when that is its only input;
  * otherwise those that are recorded to have entered the input before the movement;
  * and those that are recorded at none of its inputs: they count for the inputs that nobody of the id space and
    secret is recorded to have entered, and, when there is no such input, for all: their origin is unknown.

In the first round every edge that leaves the place asked carries all its electors. In each later round an edge
carries those of its electors that arrived at its head before it, in the round before, and that it did not carry
already: so that each elector is carried once by each edge, in the round of its fewest hops, whatever cycles there
are, and the rounds end when a part of the set (bucket) has nothing new.

Each window is within one round. A view made with CREATE VIEW expands the outermost use of a recursive CTE, so
that its last SELECT reads the first round and one more step from all the rounds: which is all the rounds too,
as long as a step keeps the rounds apart. After a restart ClickHouse reads the same view as written here. */}}
{{define "walk"}}
WITH RECURSIVE touched AS
(
    -- the movements that a walk over the places can reach at all, and those that went into the inputs of such as
    -- have several: only their electors are read
    SELECT one.1 AS rank, one.2 AS movement, one.3 AS occurred_at, one.4 AS inputs, one.5 AS output, one.6 AS mode
    FROM
    (
        WITH
            arraySort(m -> m.1, groupArray((rank, movement, occurred_at, inputs, output, mode))) AS moves,
            arrayFold(
                (seen, m) -> if(arrayExists(p -> {{.At "p"}}, {{.HeadsOf "m"}}) OR hasAny(seen, {{.HeadsOf "m"}}), arrayDistinct(arrayConcat(seen, {{.TailsOf "m"}})), seen),
                {{.InOrder "moves"}}, []::Array(String)) AS seen,
            arrayFilter(m -> arrayExists(p -> {{.At "p"}}, {{.HeadsOf "m"}}) OR hasAny(seen, {{.HeadsOf "m"}}), moves) AS walked,
            arrayDistinct(arrayFlatten(arrayMap(m -> if(length(m.4) > 1, m.4, []), walked))) AS merged
        SELECT arrayJoin(arrayFilter(m -> arrayExists(p -> {{.At "p"}}, {{.HeadsOf "m"}}) OR hasAny(seen, {{.HeadsOf "m"}}) OR has(merged, m.5), moves)) AS one
        FROM
        (
            SELECT movement, toInt64(row_number() OVER (ORDER BY occurred_at, org, sidecar, id)) AS rank, occurred_at, inputs, output, mode
            FROM ({{template "current" .}})
            WHERE output != '' AND mode != 'counted'
        )
    )
),
edge AS
(
    SELECT bucket, space, movement, {{.Sign}}rank AS rank, occurred_at AS at, {{.Head}} AS head, {{.Tail}} AS tail,
        if(only, bitmapBuild([]::Array(UInt32)), if(open OR NOT any_open, bitmapAndnot(all_electors, known), bitmapBuild([]::Array(UInt32)))) AS unrecorded,
        if(only, all_electors, bitmapOr(bitmapAnd(all_electors, entered), unrecorded)) AS electors,
        if(any_open, bitmapBuild([]::Array(UInt32)), unrecorded) AS unknown
    FROM
    (
        SELECT bucket, space, movement, rank, occurred_at, input, output, role, only, all_electors, entered, open,
            max(open) OVER (PARTITION BY role, movement, bucket, space) AS any_open,
            groupBitmapMergeState(entered) OVER (PARTITION BY role, movement, bucket, space) AS known
        FROM
        (
            -- role: 0 leaves an input, 1 enters the output
            SELECT s.bucket AS bucket, s.space AS space, s.movement AS movement, t.rank AS rank, t.occurred_at AS occurred_at, t.output AS output,
                length(t.inputs) = 1 AS only, s.electors AS all_electors,
                end.1 AS place, end.2 AS role, place AS input,
                groupBitmapMergeState(if(role = 1, s.electors, bitmapBuild([]::Array(UInt32)))) OVER (PARTITION BY place, s.bucket, s.space ORDER BY rank, role ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS entered,
                sum(role) OVER (PARTITION BY place, s.space ORDER BY rank, role ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) = 0 AS open
            FROM {{.Name "internal_set"}} AS s
            INNER JOIN touched AS t ON t.movement = s.movement AND t.mode = s.mode
            ARRAY JOIN arrayPushBack(arrayMap(p -> (p, 0), t.inputs), (t.output, 1)) AS end
            WHERE s.movement IN (SELECT movement FROM touched)
        )
        WHERE role = 0
    )
),
walk AS
(
    SELECT toUInt32(1) AS hop, bucket, space, movement, rank, at, head, tail, electors, unknown,
        if({{.At "head"}}, electors, bitmapBuild([]::Array(UInt32))) AS fresh,
        bitmapBuild([]::Array(UInt32)) AS carried
    FROM edge
    UNION ALL
    SELECT hop, bucket, space, movement, rank, at, head, tail, electors, unknown, fresh, carried
    FROM
    (
        SELECT hop, bucket, space, movement, rank, at, head, tail, electors, unknown, fresh, carried,
            max(bitmapCardinality(fresh)) OVER (PARTITION BY hop, bucket, space) AS more
        FROM
        (
            -- so_far: all that arrived at the place up to here, where a movement leaves (0) before it arrives (1)
            SELECT toUInt32(hop + 1) AS hop, bucket, space, movement, rank, at, head, tail, electors, unknown,
                bitmapOr(walk.carried, walk.fresh) AS carried,
                groupBitmapMergeState(if(end.2 = 1, walk.fresh, bitmapBuild([]::Array(UInt32)))) OVER (PARTITION BY walk.hop, bucket, space, end.1 ORDER BY rank, end.2 ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS so_far,
                bitmapAndnot(bitmapAnd(electors, so_far), carried) AS fresh,
                end.2 AS role
            FROM walk
            ARRAY JOIN [(head, 0), (tail, 1)] AS end
        )
        WHERE role = 0
    )
    WHERE more > 0
)
SELECT splitByChar('/', tail)[1] AS org, arrayJoin(['', tail]) AS place, k.id_space AS id_space, k.key_id AS key_id,
    toUInt64(groupBitmapMerge(w.fresh)) AS electors, min(w.hop) AS hops, min(w.at) AS first_at, max(w.at) AS last_at,
    toUInt64(groupBitmapMerge(bitmapAnd(w.fresh, w.unknown))) AS origin_unknown
FROM (SELECT hop, space, at, tail, fresh, unknown FROM walk WHERE bitmapCardinality(fresh) > 0) AS w
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = w.space
WHERE {{.AtText}} != if(place = '', org, tail)
GROUP BY org, place, id_space, key_id
ORDER BY hops, org, place, id_space, key_id
{{end}}
{{define "reach"}}{{template "walk" .Downstream}}{{end}}
{{define "sources"}}{{template "walk" .Upstream}}{{end}}
{{define "walk.rule"}}. What a movement with several inputs carried counts for the inputs that the electors are recorded to have entered before; electors recorded at none of them count for the inputs that nobody is recorded to have entered or, when there is none, for all: origin_unknown counts these{{end}}
{{define "reach.comment"}}Where electors went from a place or an organisation: every place and organisation to which a route leads; place is empty for an organisation as a whole{{template "walk.rule"}}{{end}}
{{define "sources.comment"}}Where electors at a place or an organisation came from: reach, backwards{{template "walk.rule"}}{{end}}
