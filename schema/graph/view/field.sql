{{/* Which field categories reached a place with which electors, and where they can have come from: the rules are in
docs/design.md, "Fields and origins".

brought: what movements brought. One that says with which fields, or lists its electors, brings them with all of its
electors; one of everything that says nothing brings, in a round for each such movement in a row, what its inputs had:
what was brought there, and not destroyed since. The fields at a place are the union. */}}
{{define "said"}}
(
    SELECT groupArray((movement, arrayMap(i -> arrayMap(f -> toString(f), i), input_fields), arraySort(arrayDistinct(arrayMap(f -> toString(f), arrayConcat(fields, arrayFlatten(input_fields)))))))
    FROM {{template "latest" .}}
    WHERE {{template "real" .}} AND movement IN (SELECT (arrayJoin(needs) AS m).2)
) AS said_all,
said AS (SELECT f.1 AS movement, f.2 AS input_fields, f.3 AS names FROM (SELECT arrayJoin(said_all) AS f))
{{end}}
{{/* The movements upstream of the places asked, those into the inputs of such as have several, and destroys. */}}
{{define "upstream"}}
(
    WITH
        arrayReverse(arrayFilter(m -> m.8 != '', moves)) AS ways,
        arrayFold((seen, m) -> if({{.At "m.8"}} OR has(seen, m.8), arrayDistinct(arrayConcat(seen, m.7)), seen), ways, []::Array(String)) AS seen,
        arrayDistinct(arrayFlatten(arrayMap(m -> m.7, arrayFilter(m -> length(m.7) > 1 AND ({{.At "m.8"}} OR has(seen, m.8)), ways)))) AS merged
    SELECT arrayFilter(m -> m.6 = 1 OR m.8 != '' AND ({{.At "m.8"}} OR has(seen, m.8) OR has(merged, m.8)), moves)
) AS needs,
{{template "needed" .}}
{{end}}
{{define "brought"}}
(
WITH RECURSIVE
gone AS
(
    SELECT place, space, part, groupArray((rank, electors)) AS all
    FROM
    (
        SELECT inputs[1] AS place, rank, space, part, electors FROM sets
        WHERE removes = 1 AND movement IN (SELECT movement FROM {{.Name "derived_head"}} WHERE form = 'kept')
    )
    GROUP BY place, space, part
),
passed AS -- edges of movements of everything that say nothing of fields
(
    SELECT movement, rank, input, output, space, part, electors FROM edge
    WHERE movement IN (SELECT movement FROM needed WHERE mode = 'whole' AND movement IN (SELECT movement FROM said WHERE empty(names)))
),
brought AS
(
    SELECT toUInt32(0) AS hop, s.movement AS movement, s.rank AS rank, '' AS input, s.output AS place, field, s.space AS space, s.part AS part, s.electors AS electors
    FROM sets AS s
    INNER JOIN said AS f ON f.movement = s.movement
    ARRAY JOIN if(empty(f.names), [''], f.names) AS field
    WHERE s.output != '' AND NOT (s.mode = 'whole' AND empty(f.names))
    UNION ALL
    SELECT hop, movement, rank, input, place, field, space, part, electors
    FROM
    (
        SELECT toUInt32(b.hop + 1) AS hop, p.movement AS movement, p.rank AS rank, p.input AS input, p.output AS place, b.field AS field, p.space AS space, p.part AS part,
            bitmapAndnot(bitmapAnd(b.electors, p.electors),
                arrayFold((acc, d) -> if(d.1 > b.rank AND d.1 < p.rank, bitmapOr(acc, d.2), acc), g.all, {{template "none"}})) AS electors
        FROM brought AS b
        INNER JOIN passed AS p ON p.input = b.place AND p.space = b.space AND p.part = b.part
        LEFT JOIN gone AS g ON g.place = b.place AND g.space = b.space AND g.part = b.part
        WHERE p.rank > b.rank
    )
    WHERE bitmapCardinality(electors) > 0
)
SELECT groupArray((hop, movement, rank, input, place, field, space, part, electors)) FROM brought WHERE bitmapCardinality(electors) > 0
) AS brought_read,
brought AS
(
    SELECT b.1 AS hop, b.2 AS movement, b.3 AS rank, b.4 AS input, b.5 AS place, b.6 AS field, b.7 AS space, b.8 AS part, b.9 AS electors
    FROM (SELECT arrayJoin(brought_read) AS b)
)
{{end}}
{{define "fields"}}{{template "fields.coarse" .Coarse}}{{end}}
{{define "fields.coarse"}}
WITH RECURSIVE
{{template "moves" .}},
{{template "upstream" .}},
{{template "said" .}},
{{template "edge" .}},
{{template "brought" .}}
SELECT splitByChar('/', b.place)[1] AS org, arrayJoin(['', b.place]) AS place, b.field AS field, k.id_space AS id_space, k.key_id AS key_id,
    toUInt64(groupBitmapMerge(b.electors)) AS electors
FROM (SELECT place, field, space, electors FROM brought WHERE bitmapCardinality(electors) > 0) AS b
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
{{define "one"}}one AS (SELECT DISTINCT number, space, toUInt16(bitShiftRight(number, 16)) AS bucket, key FROM {{.Name "elector"}} WHERE {{if .HasKey}}{{.IsKey "key"}}{{else}}1{{end}}){{end}}
{{define "elector_fields"}}
WITH RECURSIVE
{{template "one" .}},
{{template "moves" .}},
moves AS needs,
{{template "needed" .}},
{{template "said" .}},
{{template "edge" .}},
{{template "brought" .}}
SELECT leftPad(lower(hex(e.key)), 16, '0') AS key, k.id_space AS id_space, k.key_id AS key_id, splitByChar('/', b.place)[1] AS org, b.place AS place, b.field AS field
FROM one AS e
INNER JOIN (SELECT place, field, space, part, groupBitmapMergeState(electors) AS electors FROM brought GROUP BY place, field, space, part) AS b ON b.part = e.bucket AND b.space = e.space
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = b.space
WHERE bitmapContains(b.electors, e.number)
ORDER BY key, id_space, key_id, place, field
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
{{/* Where fields can have come from: a walk (see walk.sql), along what movements took of a field from an input (offered), from
the inputs that are not recorded to have had the field (begun). A label is a field, where it began, and whether by a collect. */}}
{{define "origin"}}
(
    SELECT groupArray((movement, rank, at, kind, input, output, field, space, part, electors))
    FROM
    (
    SELECT e.movement AS movement, e.rank AS rank, e.at AS at, e.kind AS kind, e.input AS input, e.output AS output, field, e.space AS space, e.part AS part, e.electors AS electors
    FROM edge AS e
    INNER JOIN (SELECT n.movement AS movement, n.inputs AS inputs, n.mode AS mode, f.names AS names, f.input_fields AS input_fields FROM needed AS n INNER JOIN said AS f ON f.movement = n.movement) AS f ON f.movement = e.movement
    ARRAY JOIN if(empty(f.names), [''], f.names) AS field
    WHERE NOT (f.mode = 'whole' AND empty(f.names))
        -- an input that names fields gave those; one that names none gave what no other names
        AND (NOT arrayExists(i -> empty(i) OR has(i, field), f.input_fields)
            OR indexOf(f.inputs, e.input) > length(f.input_fields)
            OR empty(f.input_fields[indexOf(f.inputs, e.input)]) OR has(f.input_fields[indexOf(f.inputs, e.input)], field))
    UNION ALL
    SELECT b.movement, b.rank, n.at, n.kind, b.input, b.place, b.field, b.space, b.part, groupBitmapMergeState(b.electors)
    FROM brought AS b
    INNER JOIN needed AS n ON n.movement = b.movement
    WHERE b.hop > 0
    GROUP BY b.movement, b.rank, n.at, n.kind, b.input, b.place, b.field, b.space, b.part
    )
) AS offers,
offered AS
(
    SELECT o.1 AS movement, o.2 AS rank, o.3 AS at, o.4 AS kind, o.5 AS input, o.6 AS output, o.7 AS field, o.8 AS space, o.9 AS part, o.10 AS electors
    FROM (SELECT arrayJoin(offers) AS o)
),
(
    SELECT groupArray((movement, rank, at, head, tail, field, space, part, electors, fresh, label))
    FROM
    (
    SELECT movement, rank, at, head, tail, field, space, part, electors, bitmapAndnot(electors, ever) AS fresh,
        concat(field, '\n', head, '\n', if(kind = 'collect', '1', '')) AS label
    FROM
    (
        SELECT movement, rank, at, kind, input AS head, output AS tail, field, space, part, electors, role,
            groupBitmapMergeState(if(role = 1, electors, {{template "none"}})) OVER (PARTITION BY if(role = 1, tail, head), field, space, part ORDER BY rank, role ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS ever
        FROM
        (
            SELECT movement, rank, at, kind, input, output, field, space, part, electors, 0 AS role FROM offered
            UNION ALL
            SELECT movement, rank, toDateTime64(0, 6, 'UTC'), '', '', place, field, space, part, electors, 1 AS role FROM brought
        )
    )
    WHERE role = 0
    UNION ALL
    -- what none of the inputs gave
    SELECT movement, rank, at, head, tail, field, space, part, electors, electors AS fresh, concat(field, '\n\n') AS label
    FROM
    (
        SELECT b.movement AS movement, b.rank AS rank, toDateTime64(0, 6, 'UTC') AS at, '' AS head, b.place AS tail, b.field AS field, b.space AS space, b.part AS part,
            bitmapAndnot(b.electors, o.electors) AS electors
        FROM brought AS b
        LEFT JOIN (SELECT movement, field, space, part, groupBitmapMergeState(electors) AS electors FROM offered GROUP BY movement, field, space, part) AS o
            ON o.movement = b.movement AND o.field = b.field AND o.space = b.space AND o.part = b.part
        WHERE b.hop = 0
    )
    WHERE bitmapCardinality(electors) > 0
    )
) AS beginnings,
begun AS
(
    SELECT b.1 AS movement, b.2 AS rank, b.3 AS at, b.4 AS head, b.5 AS tail, b.6 AS field, b.7 AS space, b.8 AS part, b.9 AS electors, b.10 AS fresh, b.11 AS label
    FROM (SELECT arrayJoin(beginnings) AS b)
),
walk AS
(
    SELECT toUInt32(1) AS hop, l.label AS label, b.part AS part, b.space AS space, b.movement AS movement, b.rank AS rank, b.at AS at, b.head AS head, b.tail AS tail,
        b.electors AS electors, {{template "none"}} AS unknown, if(b.label = l.label, b.fresh, {{template "none"}}) AS fresh, {{template "none"}} AS carried
    FROM begun AS b
    INNER JOIN (SELECT DISTINCT label, field, space, part FROM begun WHERE bitmapCardinality(fresh) > 0) AS l ON l.field = b.field AND l.space = b.space AND l.part = b.part
    UNION ALL
    {{template "round" .}}
)
{{end}}
{{define "origins"}}{{template "origins.coarse" .Coarse}}{{end}}
{{define "origins.coarse"}}
WITH RECURSIVE
{{template "moves" .}},
{{template "upstream" .}},
{{template "said" .}},
{{template "edge" .}},
{{template "brought" .}},
{{template "origin" .}}
SELECT splitByChar('/', w.tail)[1] AS org, arrayJoin(['', w.tail]) AS place, splitByChar('\n', w.label)[1] AS field,
    splitByChar('/', source)[1] AS source_org, splitByChar('\n', w.label)[2] AS source, toBool(splitByChar('\n', w.label)[3] = '1') AS collected,
    k.id_space AS id_space, k.key_id AS key_id, toUInt64(groupBitmapMerge(w.fresh)) AS electors
FROM (SELECT label, tail, space, fresh FROM walk WHERE bitmapCardinality(fresh) > 0) AS w
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = w.space
WHERE {{.At "w.tail"}}
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
{{define "elector_origins"}}
WITH RECURSIVE
{{template "one" .}},
{{template "moves" .}},
moves AS needs,
{{template "needed" .}},
{{template "said" .}},
{{template "edge" .}},
{{template "brought" .}},
{{template "origin" .}}
SELECT DISTINCT leftPad(lower(hex(e.key)), 16, '0') AS key, k.id_space AS id_space, k.key_id AS key_id,
    splitByChar('/', w.tail)[1] AS org, w.tail AS place, splitByChar('\n', w.label)[1] AS field,
    splitByChar('/', source)[1] AS source_org, splitByChar('\n', w.label)[2] AS source, toBool(splitByChar('\n', w.label)[3] = '1') AS collected
FROM one AS e
INNER JOIN (SELECT label, tail, space, part, fresh FROM walk WHERE bitmapCardinality(fresh) > 0) AS w ON w.part = e.bucket AND w.space = e.space
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = w.space
WHERE bitmapContains(w.fresh, e.number)
ORDER BY key, id_space, key_id, place, field, source, collected
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
