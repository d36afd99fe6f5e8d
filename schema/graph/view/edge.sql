{{/* What it takes to follow electors from movement to movement: parts of walk.sql, flow_electors.sql, field.sql and copies.sql, as
common table expressions. Each of those says which movements it needs, as "needed".

A movement is one edge for each of its inputs. An edge carries the electors that count for its input:

  * all of the movement's, when that is its only input;
  * otherwise those that are recorded to have entered the input before the movement;
  * and those that are recorded at none of its inputs: they count for the inputs that nobody of the id space and
    secret is recorded to have entered, and, when there is no such input, for all: their origin is unknown.

Sets are in parts of many buckets, because a small set would fall into hundreds of buckets; of one elector only its
own bucket is read. */}}
{{/* moves is every movement, and needs those that are needed, in order: scalars, and so are the sets and the edges. ClickHouse
plans and reads a common table expression anew wherever it is used, and a scalar once. */}}
{{define "moves"}}
(
    SELECT arraySort(groupArray((rank, movement, at, kind, mode, removes, inputs, output)))
    FROM
    (
        SELECT movement, toInt64(row_number() OVER (ORDER BY occurred_at, org, sidecar, id)) AS rank, occurred_at AS at, kind, mode, removes, inputs, output
        FROM ({{template "current" .}})
        WHERE mode != 'counted'
    )
) AS moves
{{end}}
{{define "needed"}}
needed AS
(
    SELECT m.1 AS rank, m.2 AS movement, m.3 AS at, m.4 AS kind, m.5 AS mode, m.6 AS removes, m.7 AS inputs, m.8 AS output
    FROM (SELECT arrayJoin(needs) AS m)
)
{{end}}
{{define "none"}}bitmapBuild([]::Array(UInt32)){{end}}
{{define "sets"}}
(
    SELECT groupArray((movement, rank, at, kind, mode, removes, inputs, output, space, part, electors))
    FROM
    (
    SELECT s.movement AS movement, n.rank AS rank, n.at AS at, n.kind AS kind, n.mode AS mode, n.removes AS removes, n.inputs AS inputs, n.output AS output,
        s.space AS space, s.part AS part, groupBitmapMergeState(s.electors) AS electors
    FROM
    (
        SELECT movement, 'listed' AS mode, space, {{.Part "bucket"}} AS part, {{template "electors_only" .}} AS electors
        FROM {{.Name "listed"}}
        WHERE digest = 0 AND movement IN (SELECT movement FROM needed) {{template "only" .}}
        UNION ALL
        SELECT movement, 'whole' AS mode, space, {{.Part "bucket"}} AS part, {{template "electors_only" .}} AS electors
        FROM {{.Name "derived"}}
        WHERE form = 'S' AND (movement, generation) IN (SELECT movement, max(generation) FROM {{.Name "derived_head"}} WHERE form = 'S' GROUP BY movement)
            AND movement IN (SELECT movement FROM needed) {{template "only" .}}
        UNION ALL
        SELECT movement, 'listed' AS mode, space, {{.Part "toUInt16(bitShiftRight(number, 16))"}} AS part, groupBitmapState(number) AS electors
        FROM ({{template "rows" .}})
        WHERE movement IN (SELECT movement FROM needed) {{if .HasKey}}AND ({{.KeyText}} = '' OR number IN (SELECT number FROM one)){{end}}
        GROUP BY movement, space, part
        {{if .HasKey}}
        -- whether a movement carried anybody of a space decides too, whoever is asked for: nobody, in a part of its own
        UNION ALL
        SELECT DISTINCT movement, 'listed' AS mode, space, toUInt16(65535) AS part, {{template "none"}} AS electors
        FROM (SELECT movement, space, {{template "electors_only" .}} AS who FROM {{.Name "listed"}} WHERE digest = 0) WHERE movement IN (SELECT movement FROM needed) AND bitmapCardinality(who) > 0
        UNION ALL
        SELECT DISTINCT movement, 'listed' AS mode, space, toUInt16(65535) AS part, {{template "none"}} AS electors
        FROM ({{template "rows" .}}) WHERE movement IN (SELECT movement FROM needed)
        UNION ALL
        SELECT DISTINCT movement, 'whole' AS mode, space, toUInt16(65535) AS part, {{template "none"}} AS electors
        FROM (SELECT movement, form, generation, space, {{template "electors_only" .}} AS who FROM {{.Name "derived"}})
        WHERE form = 'S' AND (movement, generation) IN (SELECT movement, max(generation) FROM {{.Name "derived_head"}} WHERE form = 'S' GROUP BY movement)
            AND movement IN (SELECT movement FROM needed) AND bitmapCardinality(who) > 0
        {{end}}
    ) AS s
    INNER JOIN needed AS n ON n.movement = s.movement AND n.mode = s.mode
    GROUP BY movement, rank, at, kind, mode, removes, inputs, output, space, part
    HAVING bitmapCardinality(electors) > 0 OR part = 65535
    )
) AS sets_read,
sets AS
(
    SELECT s.1 AS movement, s.2 AS rank, s.3 AS at, s.4 AS kind, s.5 AS mode, s.6 AS removes, s.7 AS inputs, s.8 AS output, s.9 AS space, s.10 AS part, s.11 AS electors
    FROM (SELECT arrayJoin(sets_read) AS s)
)
{{end}}
{{define "only"}}{{if .HasKey}}AND ({{.KeyText}} = '' OR bucket IN (SELECT toUInt16(bitShiftRight(number, 16)) FROM one)){{end}}{{end}}
{{define "edge"}}
{{template "sets" .}},
(
    SELECT groupArray((part, space, movement, rank, at, kind, input, output, electors, unknown))
    FROM
    (
    SELECT part, space, movement, rank, at, kind, input, output,
        if(only, {{template "none"}}, if(open OR NOT any_open, bitmapAndnot(all_electors, known), {{template "none"}})) AS unrecorded,
        if(only, all_electors, bitmapOr(bitmapAnd(all_electors, entered), unrecorded)) AS electors,
        if(any_open, {{template "none"}}, unrecorded) AS unknown
    FROM
    (
        SELECT part, space, movement, rank, at, kind, input, output, only, all_electors, entered, open,
            max(open) OVER (PARTITION BY movement, part, space) AS any_open,
            groupBitmapMergeState(entered) OVER (PARTITION BY movement, part, space) AS known
        FROM
        (
            SELECT part, space, movement, rank, at, kind, input, output, role, only, all_electors, entered, open
            FROM
            (
                -- role: 0 leaves an input, 1 enters the output
                SELECT s.part AS part, s.space AS space, s.movement AS movement, s.rank AS rank, s.at AS at, s.kind AS kind, s.output AS output,
                    length(s.inputs) = 1 AS only, s.electors AS all_electors,
                    end.1 AS input, end.2 AS role,
                    groupBitmapMergeState(if(role = 1, s.electors, {{template "none"}})) OVER (PARTITION BY input, s.part, s.space ORDER BY rank, role ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS entered,
                    sum(role) OVER (PARTITION BY input, s.space ORDER BY rank, role ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) = 0 AS open
                FROM sets AS s
                ARRAY JOIN arrayConcat(arrayMap(p -> (p, 0), s.inputs), [(s.output, 1)]) AS end
                WHERE s.output != ''
            )
            WHERE role = 0
        )
    )
    )
) AS edges,
edge AS
(
    SELECT e.1 AS part, e.2 AS space, e.3 AS movement, e.4 AS rank, e.5 AS at, e.6 AS kind, e.7 AS input, e.8 AS output, e.9 AS electors, e.10 AS unknown
    FROM (SELECT arrayJoin(edges) AS e)
)
{{end}}
