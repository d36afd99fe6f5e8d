{{/* How electors went on from a place (reach) or came to it (sources), one round for each hop.

A movement leaves its heads and arrives at its tails: for reach, in order of time, inputs and output; for
sources, backwards in time, output and inputs. In the first round every movement that leaves the place asked
carries all its electors. In each later round a movement carries those of its electors that arrived at one
of its heads before it, in the round before, and that it did not carry already: so that each elector is
carried once by each movement, in the round of its fewest hops, whatever cycles there are, and the rounds
end when a part of the set (bucket) has nothing new.

Each window is within one round. A view made with CREATE VIEW expands the outermost use of a recursive CTE, so
that its last SELECT reads the first round and one more step from all the rounds: which is all the rounds too,
as long as a step keeps the rounds apart. After a restart ClickHouse reads the same view as written here. */}}
{{define "walk"}}
WITH RECURSIVE touched AS
(
    -- the movements that a walk over the places can reach at all: only their electors are read
    SELECT one.1 AS rank, one.2 AS movement, one.3 AS occurred_at, one.4 AS heads, one.5 AS tails
    FROM
    (
        SELECT arrayJoin(arrayFold(
                (seen, m) -> if(arrayExists(p -> {{.At "p"}}, m.4) OR hasAny(seen.1, m.4), (arrayDistinct(arrayConcat(seen.1, m.5)), arrayPushBack(seen.2, m)), seen),
                arraySort(m -> m.1, groupArray((rank, movement, occurred_at, heads, tails))),
                ([]::Array(String), []::Array(Tuple(UInt64, UInt32, DateTime64(6, 'UTC'), Array(String), Array(String))))).2) AS one
        FROM
        (
            SELECT movement, row_number() OVER (ORDER BY occurred_at {{.Direction}}, org {{.Direction}}, sidecar {{.Direction}}, id {{.Direction}}) AS rank,
                occurred_at, {{.Heads}} AS heads, {{.Tails}} AS tails
            FROM ({{template "current" .}})
            WHERE output != '' AND mode = 'listed'
        )
    )
),
walk AS
(
    SELECT toUInt32(1) AS hop, s.bucket AS bucket, s.space AS space, s.movement AS movement, t.rank AS rank, t.occurred_at AS at,
        t.heads AS heads, t.tails AS tails, s.electors AS electors,
        if(arrayExists(p -> {{.At "p"}}, t.heads), s.electors, bitmapBuild([]::Array(UInt32))) AS fresh,
        bitmapBuild([]::Array(UInt32)) AS carried
    FROM {{.Name "internal_set"}} AS s
    INNER JOIN touched AS t ON t.movement = s.movement
    WHERE s.movement IN (SELECT movement FROM touched)
    UNION ALL
    SELECT hop, bucket, space, movement, rank, at, heads, tails, electors, fresh, carried
    FROM
    (
        SELECT hop, bucket, space, movement, rank, at, heads, tails, electors, fresh, carried,
            max(bitmapCardinality(fresh)) OVER (PARTITION BY hop, bucket, space) AS more
        FROM
        (
            -- of the electors of a movement, those that had arrived at one of its heads
            SELECT toUInt32(before + 1) AS hop, bucket, space, movement, rank, at, heads, tails, electors, role,
                bitmapOr(old_carried, old_fresh) AS carried,
                bitmapAndnot(bitmapAnd(electors, groupBitmapMergeState(if(role = 0, so_far, bitmapBuild([]::Array(UInt32)))) OVER (PARTITION BY before, bucket, space, movement)),
                    bitmapOr(old_carried, old_fresh)) AS fresh
            FROM
            (
                -- role: 0 leaves a head, 1 arrives at its first tail, 2 at another; so_far: all that arrived at
                -- the place up to here, where a movement leaves before it arrives
                SELECT hop AS before, bucket, space, movement, rank, at, heads, tails, electors, fresh AS old_fresh, carried AS old_carried, end.2 AS role,
                    groupBitmapMergeState(if(role > 0, old_fresh, bitmapBuild([]::Array(UInt32)))) OVER (PARTITION BY before, bucket, space, end.1 ORDER BY rank, role ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS so_far
                FROM walk
                ARRAY JOIN arrayConcat(arrayMap(p -> (p, 0), heads), arrayMap((p, i) -> (p, if(i = 1, 1, 2)), tails, arrayEnumerate(tails))) AS end
            )
        )
        WHERE role = 1
    )
    WHERE more > 0
)
SELECT splitByChar('/', tail)[1] AS org, arrayJoin(['', tail]) AS place, k.id_space AS id_space, k.key_id AS key_id,
    toUInt64(groupBitmapMerge(w.fresh)) AS electors, min(w.hop) AS hops, min(w.at) AS first_at, max(w.at) AS last_at
FROM (SELECT hop, space, at, fresh, arrayJoin(tails) AS tail FROM walk WHERE bitmapCardinality(fresh) > 0) AS w
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = w.space
WHERE {{.AtText}} != if(place = '', org, tail)
GROUP BY org, place, id_space, key_id
ORDER BY hops, org, place, id_space, key_id
{{end}}
{{define "reach"}}{{template "walk" .Downstream}}{{end}}
{{define "sources"}}{{template "walk" .Upstream}}{{end}}
{{define "reach.comment"}}Where electors went from a place or an organisation: every place and organisation to which a route leads; place is empty for an organisation as a whole{{end}}
{{define "sources.comment"}}Where electors at a place or an organisation came from: reach, backwards{{end}}
