{{define "dossier.comment"}}Every listed movement of every elector; the parameterised dossier_as_of(key, as_of) finds one elector by its index{{end}}
{{define "dossier.columns"}}
    key      String COMMENT 'Elector key: 16 hex digits',
    id_space String COMMENT 'What the identifier is',
    key_id   String COMMENT 'The secret under which the key was made',
{{template "movements.columns" .}}
{{end}}
{{define "dossier.members"}}
{{if .HasKey}}
WITH e AS
(
    SELECT DISTINCT number, space, toUInt16(bitShiftRight(number, 16)) AS bucket, key
    FROM {{.Name "elector"}}
    WHERE key = reinterpretAsUInt64(reverse(unhex(lower({{.KeyText}})))) AND match(lower({{.KeyText}}), '^[0-9a-f]{16}$')
)
SELECT DISTINCT e.key AS key, e.space AS space, s.movement AS movement
FROM {{.Name "set_by_bucket"}} AS s
INNER JOIN e ON e.bucket = s.bucket AND e.space = s.space
WHERE s.bucket IN (SELECT bucket FROM e) AND bitmapContains(s.electors, e.number)
UNION DISTINCT
SELECT e.key AS key, e.space AS space, r.movement AS movement
FROM {{.Name "row_by_elector"}} AS r
INNER JOIN e ON e.number = r.number
WHERE r.number IN (SELECT number FROM e)
{{else}}
SELECT e.key AS key, e.space AS space, s.movement AS movement
FROM {{.Name "set_by_bucket"}} AS s
INNER JOIN {{.Name "elector"}} AS e ON intDiv(e.number, 65536) = s.bucket AND e.space = s.space
WHERE bitmapContains(s.electors, e.number)
UNION DISTINCT
SELECT e.key AS key, e.space AS space, r.movement AS movement
FROM {{.Name "row_by_elector"}} AS r
INNER JOIN {{.Name "elector"}} AS e ON e.number = r.number
{{end}}
{{end}}
{{define "dossier"}}
SELECT leftPad(lower(hex(d.key)), 16, '0') AS key, k.id_space AS id_space, k.key_id AS key_id, m.* EXCEPT (movement)
FROM ({{template "dossier.members" .}}) AS d
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = d.space
INNER JOIN
(
    SELECT * FROM {{.Name "internal_listing"}} WHERE mode = 'listed' AND {{.AsOf "occurred_at"}}
) AS m ON m.movement = d.movement
{{if .HasKey}}WHERE d.movement IN (SELECT movement FROM ({{template "dossier.members" .}})){{end}}
ORDER BY key, id_space, key_id, occurred_at, org, sidecar, id
{{end}}
