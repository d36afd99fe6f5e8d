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
{{end}}
