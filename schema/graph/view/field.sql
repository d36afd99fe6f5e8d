{{/* Which field categories reached a place with which electors, and where they can have come from: the rules are in
docs/design.md, "Fields and origins".

For each field and part of the electors the movements are gone through in order, as package graph does: carried is what was
brought, to which place, from where the field can come, to whom: ever, and not destroyed since (now). A movement that says
with which fields, or lists its electors, brings them with all of its electors: of those that an input gave, with what the field
has come from there, or, if it never came there, from the input. One of everything that says nothing brings what its inputs
had. What is seen is each movement before it arrives. */}}
{{define "said"}}
(
    SELECT groupArray((movement, arrayMap(i -> arrayMap(f -> toString(f), i), input_fields), arraySort(arrayDistinct(arrayMap(f -> toString(f), arrayConcat(fields, arrayFlatten(input_fields)))))))
    FROM {{template "latest" .}}
    WHERE {{template "real" .}} AND movement IN (SELECT (arrayJoin(needs) AS m).2)
) AS said_all,
said AS (SELECT f.1 AS movement, f.2 AS input_fields, f.3 AS names FROM (SELECT arrayJoin(said_all) AS f))
{{end}}
{{/* bounded is all movements, unless they are too many to go through for every field, place and source at once: the time that takes grows with
their square. */}}
{{define "bounded"}}if({{.TooMuch "length(moves)" 300}} = 0, moves, []){{end}}
{{/* The movements upstream of the places asked, those into the inputs of such as have several, and destroys. */}}
{{define "upstream"}}
(
    WITH
        arrayReverse(arrayFilter(m -> m.8 != '', moves)) AS ways,
        arrayFold((seen, m) -> if({{.At "m.8"}} OR has(seen, m.8), arrayDistinct(arrayConcat(seen, m.7)), seen), ways, []::Array(String)) AS seen,
        arrayDistinct(arrayFlatten(arrayMap(m -> m.7, arrayFilter(m -> length(m.7) > 1 AND ({{.At "m.8"}} OR has(seen, m.8)), ways)))) AS merged
    SELECT arrayFilter(m -> m.6 = 1 OR m.8 != '' AND ({{.At "m.8"}} OR has(seen, m.8) OR has(merged, m.8)), {{template "bounded" .}})
) AS needs,
{{template "needed" .}}
{{end}}
{{define "carried"}}
events AS
(
    SELECT space, part, field, arraySort(x -> x.1, groupArray((rank, what, given, output, kind = 'collect', electors))) AS steps
    FROM
    (
        SELECT s.rank AS rank, multiIf(s.removes = 1, 0, s.mode = 'whole' AND empty(f.names), 2, 1) AS what, s.output AS output, s.kind AS kind, s.space AS space, s.part AS part, s.electors AS electors,
            arrayJoin(if(what = 1, if(empty(f.names), [''], f.names), (SELECT arrayDistinct(arrayPushBack(arrayFlatten(arrayMap(f -> f.3, said_all)), ''))))) AS field,
            if(what = 0, [(s.inputs[1], {{template "none"}})],
                -- an input that names fields gave those; one that names none gave what no other names
                arrayFilter(g -> what = 2 OR NOT arrayExists(i -> empty(i) OR has(i, field), f.input_fields) OR indexOf(s.inputs, g.1) > length(f.input_fields)
                    OR empty(f.input_fields[indexOf(s.inputs, g.1)]) OR has(f.input_fields[indexOf(s.inputs, g.1)], field), e.given)) AS given
        FROM sets AS s
        INNER JOIN said AS f ON f.movement = s.movement
        LEFT JOIN (SELECT movement, space, part, groupArray((input, electors)) AS given FROM edge GROUP BY movement, space, part) AS e
            ON e.movement = s.movement AND e.space = s.space AND e.part = s.part
        WHERE s.output != '' OR s.removes = 1 AND s.movement IN (SELECT movement FROM {{.Name "derived_head"}} WHERE form = 'kept')
    )
    GROUP BY space, part, field
),
carried AS
(
    SELECT space, part, field, c.1 AS place, c.2 AS source, c.3 AS collected, c.4 AS electors
    FROM events
    ARRAY JOIN arrayFold((state, m) ->
        if(m.2 = 0,
            arrayMap(c -> (c.1, c.2, c.3, c.4, if(c.1 = m.3[1].1, bitmapAndnot(c.5, m.6), c.5)), state),
            arrayConcat(state, arrayMap(n -> (m.4, n.1, n.2, n.3, n.3), arrayFilter(n -> bitmapCardinality(n.3) > 0, arrayConcat(
                arrayFlatten(arrayMap(g -> arrayMap(c -> (c.2, c.3, bitmapAnd(c.4, if(m.2 = 1, g.2,
                        bitmapAnd(g.2, arrayFold((has, h) -> if(h.1 = g.1, bitmapOr(has, h.5), has), state, {{template "none"}}))))), arrayFilter(c -> c.1 = g.1, state)), m.3)),
                if(m.2 = 1, arrayMap(g -> (g.1, toUInt8(m.5), bitmapAndnot(g.2, arrayFold((ever, h) -> if(h.1 = g.1, bitmapOr(ever, h.4), ever), state, {{template "none"}}))), m.3), []),
                if(m.2 = 1, [('', toUInt8(0), bitmapAndnot(m.6, arrayFold((all, g) -> bitmapOr(all, g.2), m.3, {{template "none"}})))], [])))))),
        steps, CAST([], 'Array(Tuple(String, String, UInt8, AggregateFunction(groupBitmap, UInt32), AggregateFunction(groupBitmap, UInt32)))')) AS c
)
{{end}}
{{define "fields"}}{{template "fields.coarse" .Coarse}}{{end}}
{{define "fields.coarse"}}
WITH
{{template "moves" .}},
{{template "upstream" .}},
{{template "said" .}},
{{template "edge" .}},
{{template "carried" .}}
SELECT splitByChar('/', b.place)[1] AS org, arrayJoin(['', b.place]) AS place, b.field AS field, k.id_space AS id_space, k.key_id AS key_id,
    toUInt64(groupBitmapMerge(b.electors)) AS electors
FROM carried AS b
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = b.space
WHERE {{.At "b.place"}}
GROUP BY org, place, field, id_space, key_id
ORDER BY org, place, field, id_space, key_id
{{end}}
{{define "fields.comment"}}Which field categories reached each place and organisation, with how many electors. A destroy takes nothing away{{end}}
{{define "fields.columns"}}
    org      String COMMENT 'Organisation',
    place    String COMMENT 'Place; empty: the organisation as a whole, each elector counted once',
    field    String COMMENT 'Category of fields: name, civic_address, …; empty: by a movement that does not say with which fields',
    id_space String COMMENT 'What the identifiers are',
    key_id   String COMMENT 'The secret under which the keys were made',
    electors UInt64 COMMENT 'Different electors that it reached the place with'
{{end}}
{{/* The elector asked for, by its index; or all, read as they are needed. */}}
{{define "one"}}one AS (SELECT {{if .HasKey}}DISTINCT {{end}}number, space, {{.Part "toUInt16(bitShiftRight(number, 16))"}} AS part, key FROM {{if .HasKey}}{{.Name "elector"}} WHERE {{.IsKey "key"}}{{else}}{{.Name "internal_elector"}}{{end}}){{end}}
{{/* What was carried, along all ways, for each elector that is asked for. */}}
{{define "each"}}
{{template "one" .}},
{{template "moves" .}},
(SELECT {{template "bounded" .}}) AS needs,
{{template "needed" .}},
{{template "said" .}},
{{template "edge" .}},
{{template "carried" .}}
{{end}}
{{define "elector_fields"}}{{if .HasKey}}{{template "elector_fields.each" .}}{{else}}{{template "elector_fields.each" .Coarse}}{{end}}{{end}}
{{define "elector_fields.each"}}
WITH
{{template "each" .}}
SELECT leftPad(lower(hex(e.key)), 16, '0') AS key, k.id_space AS id_space, k.key_id AS key_id, splitByChar('/', b.place)[1] AS org, b.place AS place, b.field AS field
FROM one AS e
INNER JOIN (SELECT place, field, space, part, groupBitmapMergeState(electors) AS electors FROM carried GROUP BY place, field, space, part) AS b ON b.part = e.part AND b.space = e.space
ANY LEFT JOIN ({{template "spaces" .}}) AS k ON k.space = b.space
WHERE bitmapContains(b.electors, e.number)
{{if .HasKey}}ORDER BY key, id_space, key_id, place, field{{end}}
{{end}}
{{define "elector_fields.comment"}}Which field categories of an elector reached each place; elector_fields_as_of(key, as_of) is for one elector, and quicker{{end}}
{{define "elector_fields.columns"}}
    key      String COMMENT 'Elector key: 16 hex digits',
    id_space String COMMENT 'What the identifier is',
    key_id   String COMMENT 'The secret under which the key was made',
    org      String COMMENT 'Organisation that owns the place',
    place    String COMMENT 'Place',
    field    String COMMENT 'Category of fields: name, civic_address, …; empty: by a movement that does not say with which fields'
{{end}}
{{define "origins"}}{{template "origins.coarse" .Coarse}}{{end}}
{{define "origins.coarse"}}
WITH
{{template "moves" .}},
{{template "upstream" .}},
{{template "said" .}},
{{template "edge" .}},
{{template "carried" .}}
SELECT splitByChar('/', w.place)[1] AS org, arrayJoin(['', w.place]) AS place, w.field AS field,
    splitByChar('/', w.source)[1] AS source_org, w.source AS source, toBool(w.collected) AS collected,
    k.id_space AS id_space, k.key_id AS key_id, toUInt64(groupBitmapMerge(w.electors)) AS electors
FROM carried AS w
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = w.space
WHERE {{.At "w.place"}}
GROUP BY org, place, field, source_org, source, collected, id_space, key_id
ORDER BY org, place, field, source, collected, id_space, key_id
{{end}}
{{define "origins.comment"}}Where the fields that reached a place can have come from: the places at which the routes of a field begin. An elector counts for each source that it can have a field from{{end}}
{{define "origins.columns"}}
    org        String COMMENT 'Organisation',
    place      String COMMENT 'Place; empty: the organisation as a whole, each elector counted once for each source',
    field      String COMMENT 'Category of fields; empty: by movements that do not say with which',
    source_org String COMMENT 'Organisation that owns the source; empty: not known',
    source     String COMMENT 'Place where a route of the field begins: nothing says that it had the field from elsewhere. Empty: none of the inputs of a movement had it',
    collected  Bool   COMMENT 'Whether it was collected there, from outside: otherwise the source may have it from a place that nobody recorded',
    id_space   String COMMENT 'What the identifiers are',
    key_id     String COMMENT 'The secret under which the keys were made',
    electors   UInt64 COMMENT 'Different electors'
{{end}}
{{define "elector_origins"}}{{if .HasKey}}{{template "elector_origins.each" .}}{{else}}{{template "elector_origins.each" .Coarse}}{{end}}{{end}}
{{define "elector_origins.each"}}
WITH
{{template "each" .}}
SELECT leftPad(lower(hex(e.key)), 16, '0') AS key, k.id_space AS id_space, k.key_id AS key_id,
    splitByChar('/', w.place)[1] AS org, w.place AS place, w.field AS field, splitByChar('/', w.source)[1] AS source_org, w.source AS source, toBool(w.collected) AS collected
FROM one AS e
INNER JOIN (SELECT place, field, source, collected, space, part, groupBitmapMergeState(electors) AS electors FROM carried GROUP BY place, field, source, collected, space, part) AS w ON w.part = e.part AND w.space = e.space
ANY LEFT JOIN ({{template "spaces" .}}) AS k ON k.space = w.space
WHERE bitmapContains(w.electors, e.number)
{{if .HasKey}}ORDER BY key, id_space, key_id, place, field, source, collected{{end}}
{{end}}
{{define "elector_origins.comment"}}Where the fields of an elector that reached a place can have come from, see origins; elector_origins_as_of(key, as_of) is for one elector, and quicker{{end}}
{{define "elector_origins.columns"}}
    key        String COMMENT 'Elector key: 16 hex digits',
    id_space   String COMMENT 'What the identifier is',
    key_id     String COMMENT 'The secret under which the key was made',
    org        String COMMENT 'Organisation that owns the place',
    place      String COMMENT 'Place',
    field      String COMMENT 'Category of fields; empty: by movements that do not say with which',
    source_org String COMMENT 'Organisation that owns the source; empty: not known',
    source     String COMMENT 'Place where a route of the field begins, see origins',
    collected  Bool   COMMENT 'Whether it was collected there, from outside'
{{end}}
