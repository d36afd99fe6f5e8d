{{define "dossier.comment"}}Every movement of every elector, listed or derived; the parameterised dossier_as_of(key, as_of) finds one elector by its index, and a seed (invented entry of a copy) too{{end}}
{{define "dossier.columns"}}
    key      String COMMENT 'Elector key: 16 hex digits',
    id_space String COMMENT 'What the identifier is',
    key_id   String COMMENT 'The secret under which the key was made',
{{template "movements.columns" .}}
{{end}}
{{/* The movements of an elector, listed and derived, of which those of the movement's own mode count. "members" are
those of the generation that counts, "candidates" those of any: what is looked up by index may be too much. */}}
{{define "dossier.members"}}{{template "dossier.elector" .}}{{template "dossier.listed" .}}{{template "dossier.derived" .}}{{template "dossier.counts" .}}{{end}}
{{define "dossier.candidates"}}{{template "dossier.elector" .}}{{template "dossier.listed" .}}{{template "dossier.derived" .}}{{end}}
{{/* Who asks for one key is told of a seed too; who asks for everybody, of electors only. */}}
{{define "dossier.elector"}}
WITH e AS
(
    SELECT DISTINCT number, space, {{template "slots"}}, key
    FROM {{.Name "elector"}}
    WHERE {{.IsKey "key"}} AND ({{.KeyText}} != '' OR number NOT IN ({{template "seeds" .}}))
)
{{end}}
{{/* See listed_by_elector: a bitmap of the bucket, or the elector's own slot. */}}
{{define "slots"}}toUInt16(bitShiftRight(number, 16)) AS bucket, bitShiftLeft(toUInt64(bucket), 17) AS bucket_slot, bucket_slot + 1 + bitAnd(number, 65535) AS slot{{end}}
{{define "dossier.listed"}}
SELECT DISTINCT e.key AS key, e.space AS space, s.movement AS movement, 'listed' AS known
FROM {{.Name "listed_by_elector"}} AS s
INNER JOIN e AS e ON e.bucket_slot = s.slot AND e.space = s.space
WHERE s.slot IN (SELECT bucket_slot FROM e) AND bitmapContains(s.electors, e.number)
UNION DISTINCT
SELECT e.key AS key, e.space AS space, r.movement AS movement, 'listed' AS known
FROM {{.Name "listed_by_elector"}} AS r
INNER JOIN e AS e ON e.slot = r.slot AND e.space = r.space
WHERE r.slot IN (SELECT slot FROM e)
{{end}}
{{define "dossier.derived"}}
UNION DISTINCT
SELECT e.key AS key, e.space AS space, s.movement AS movement, 'whole' AS known
FROM {{.Name "derived_by_bucket"}} AS s
INNER JOIN e AS e ON e.bucket = s.bucket AND e.space = s.space
WHERE s.bucket IN (SELECT bucket FROM e) AND bitmapContains(s.electors, e.number)
{{end}}
{{define "dossier.counts"}}
    AND (s.movement, s.generation) IN (SELECT movement, max(generation) FROM {{.Name "derived_head"}} WHERE form = 'S' GROUP BY movement)
{{end}}
{{define "dossier"}}
{{if .HasKey}}
SELECT leftPad(lower(hex(d.key)), 16, '0') AS key, k.id_space AS id_space, k.key_id AS key_id, m.* EXCEPT (movement)
FROM ({{template "dossier.members" .}}) AS d
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = d.space
INNER JOIN
(
    SELECT * FROM {{.Name "internal_listing"}} WHERE {{.AsOf "occurred_at"}}
) AS m ON m.movement = d.movement AND m.mode = d.known
WHERE d.movement IN (SELECT movement FROM ({{template "dossier.candidates" .}}))
ORDER BY key, id_space, key_id, occurred_at, org, sidecar, id
{{else}}
{{/* Of every elector: row by row, in no order and nothing kept, so that the first rows come at once and a condition on the
key is met as the keys are read. What is joined to the electors is small: inner joins ClickHouse might turn round. */}}
SELECT d.key AS key, k.id_space AS id_space, k.key_id AS key_id, m.* EXCEPT (movement)
FROM
(
    SELECT leftPad(lower(hex(e.key)), 16, '0') AS key, s.space AS space, s.movement AS movement
    FROM {{.Name "internal_elector"}} AS e
    INNER JOIN
    (
        SELECT * FROM ({{template "internal_set" .}}) WHERE (movement, mode) IN (SELECT movement, toString(mode) FROM {{template "latest" .}})
    ) AS s ON s.bucket = e.bucket AND s.space = e.space
    WHERE bitmapContains(s.electors, e.number)
) AS d
ANY LEFT JOIN ({{template "spaces" .}}) AS k ON k.space = d.space
ANY LEFT JOIN {{.Name "internal_listing"}} AS m ON m.movement = d.movement
{{end}}
{{end}}
