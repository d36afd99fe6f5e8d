{{define "elector_places.comment"}}Every place that an elector reached, and whether it is still held there; elector_places_as_of(key, as_of) finds one elector by its index{{end}}
{{define "elector_places.columns"}}
    key          String                         COMMENT 'Elector key: 16 hex digits',
    id_space     String                         COMMENT 'What the identifier is',
    key_id       String                         COMMENT 'The secret under which the key was made',
    org          String                         COMMENT 'Organisation that owns the place',
    place        String                         COMMENT 'Place',
    holding      Bool                           COMMENT 'Whether it is held there: entered, and not destroyed since',
    entries      UInt64                         COMMENT 'How many movements brought it there',
    first_entry  DateTime64(6, 'UTC')           COMMENT 'When the first of them began',
    last_entry   DateTime64(6, 'UTC')           COMMENT 'When the last of them began',
    destroyed_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was last destroyed there, on the word of the owner; NULL when it was not'
{{end}}
{{define "elector_places"}}
{{if .HasKey}}
SELECT
    key, id_space, key_id,
    splitByChar('/', place)[1]                                AS org,
    place,
    toBool(argMax(entry, (at, by_org, by_sidecar, by_id))) AS holding,
    countIf(entry = 1)                                        AS entries,
    minIf(at, entry = 1)                                      AS first_entry,
    maxIf(at, entry = 1)                                      AS last_entry,
    maxOrNullIf(at, entry = 0)                                AS destroyed_at
FROM
(
    SELECT key, id_space, key_id, occurred_at AS at, org AS by_org, sidecar AS by_sidecar, id AS by_id,
        toUInt8(NOT removes) AS entry, if(removes, inputs[1], output) AS place
    FROM ({{template "dossier" .}})
    WHERE outcome != 'retracted' AND (output != '' OR removes)
)
GROUP BY key, id_space, key_id, place
HAVING entries > 0
ORDER BY key, id_space, key_id, first_entry, place
{{else}}
{{/* Of every elector: row by row, as in dossier. What went into a place and was destroyed there is put together by bucket, before
any elector is looked at. */}}
SELECT
    p.key AS key, k.id_space AS id_space, k.key_id AS key_id,
    splitByChar('/', p.place)[1] AS org,
    p.place                      AS place,
    toBool(p.events[-1].2)       AS holding,
    toUInt64(arrayCount(e -> e.2 = 1, p.events)) AS entries,
    arrayFirst(e -> e.2 = 1, p.events).1         AS first_entry,
    arrayLast(e -> e.2 = 1, p.events).1          AS last_entry,
    arrayLastOrNull(e -> e.2 = 0, p.events).1    AS destroyed_at
FROM
(
    SELECT leftPad(lower(hex(e.key)), 16, '0') AS key, s.space AS space, s.place AS place,
        arrayFilter((event, electors) -> bitmapContains(electors, e.number), s.events, s.electors) AS events
    FROM {{.Name "internal_elector"}} AS e
    INNER JOIN
    (
        SELECT place, space, bucket, arrayMap(m -> (m.1.1, m.2), ms) AS events, arrayMap(m -> m.3, ms) AS electors
        FROM
        (
            SELECT if(m.removes = 1, m.inputs[1], m.output) AS place, s.space AS space, s.bucket AS bucket,
                arraySort(x -> x.1, groupArray(((m.occurred_at, m.org, m.sidecar, m.id), toUInt8(m.removes = 0), s.electors))) AS ms
            FROM ({{template "internal_set" .}}) AS s
            INNER JOIN ({{template "current" .}}) AS m ON m.movement = s.movement AND m.mode = s.mode
            WHERE m.output != '' OR m.removes = 1
            GROUP BY place, space, bucket
        )
    ) AS s ON s.bucket = e.bucket AND s.space = e.space
) AS p
ANY LEFT JOIN ({{template "spaces" .}}) AS k ON k.space = p.space
WHERE entries > 0
{{end}}
{{end}}
