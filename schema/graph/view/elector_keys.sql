{{define "elector_keys.comment"}}Every elector key that a movement carried, listed or derived. One key: WHERE key = '…' reads all of them, elector_keys_as_of(key = '…', as_of = '') finds it by its index{{end}}
{{define "elector_keys.columns"}}
    key      String COMMENT 'Elector key: 16 hex digits',
    id_space String COMMENT 'What the identifier is; one key may be known in several spaces',
    key_id   String COMMENT 'The secret under which the key was made'
{{end}}
{{define "elector_keys"}}
{{if .HasKey}}
WITH
{{template "one" .}},
{{template "moves" .}},
moves AS needs,
{{template "needed" .}},
{{template "sets" .}}
{{end}}
SELECT leftPad(lower(hex(e.key)), 16, '0') AS key, k.id_space AS id_space, k.key_id AS key_id
{{if .HasKey}}
FROM one AS e
INNER JOIN (SELECT space, part, groupBitmapMergeState(s.electors) AS electors FROM sets AS s GROUP BY space, part) AS c ON c.part = e.part AND c.space = e.space
{{else}}
FROM {{.Name "internal_elector"}} AS e
INNER JOIN
(
    SELECT s.space AS space, s.bucket AS bucket, groupBitmapMergeState(s.electors) AS electors
    FROM ({{template "internal_set" .}}) AS s
    INNER JOIN ({{template "current" .}}) AS m ON m.movement = s.movement AND m.mode = s.mode
    GROUP BY space, bucket
) AS c ON c.bucket = e.bucket AND c.space = e.space
{{end}}
ANY LEFT JOIN ({{template "spaces" .}}) AS k ON k.space = c.space
WHERE bitmapContains(c.electors, e.number)
{{if .HasKey}}ORDER BY key, id_space, key_id{{end}}
{{end}}
