{{define "reached_electors.comment"}}Which electors each place was reached by, one row each{{end}}
{{define "reached_electors.columns"}}
    org      String COMMENT 'Organisation that owns the place',
    place    String COMMENT 'Place',
    id_space String COMMENT 'What the identifier is',
    key_id   String COMMENT 'The secret under which the key was made',
    key      String COMMENT 'Elector key: 16 hex digits'
{{end}}
{{define "reached_electors"}}
SELECT
    h.org                 AS org,
    h.place               AS place,
    h.id_space            AS id_space,
    h.key_id              AS key_id,
    leftPad(lower(hex(e.key)), 16, '0') AS key
FROM {{.Name "internal_elector"}} AS e
INNER JOIN ({{template "reached" .}}) AS h ON h.bucket = e.bucket
WHERE bitmapContains(h.electors, e.number)
{{end}}
