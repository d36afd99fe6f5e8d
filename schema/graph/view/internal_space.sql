{{define "internal_space.comment"}}Internal: id spaces and secrets by number{{end}}
{{define "internal_space"}}
SELECT DISTINCT space, toString(id_space) AS id_space, toString(key_id) AS key_id
FROM {{.Name "space"}}
{{end}}
