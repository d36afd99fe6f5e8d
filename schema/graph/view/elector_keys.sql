{{define "elector_keys.comment"}}Every elector key that a movement carried, listed or derived. One key: WHERE key = '…' reads all of them, elector_keys_as_of(key = '…', as_of = '') finds it by its index{{end}}
{{define "elector_keys.columns"}}
    key      String COMMENT 'Elector key: 16 hex digits',
    id_space String COMMENT 'What the identifier is; one key may be known in several spaces',
    key_id   String COMMENT 'The secret under which the key was made'
{{end}}
{{define "elector_keys"}}
WITH
{{template "one" .}},
{{template "moves" .}},
moves AS needs,
{{template "needed" .}},
{{template "sets" .}}
SELECT leftPad(lower(hex(e.key)), 16, '0') AS key, k.id_space AS id_space, k.key_id AS key_id
FROM one AS e
INNER JOIN (SELECT space, part, groupBitmapMergeState(s.electors) AS electors FROM sets AS s GROUP BY space, part) AS c ON c.part = e.bucket AND c.space = e.space
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = c.space
WHERE bitmapContains(c.electors, e.number)
ORDER BY key, id_space, key_id
{{end}}
