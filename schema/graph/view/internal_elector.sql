{{define "internal_elector.comment"}}Internal: elector keys and their numbers{{end}}
{{define "internal_elector"}}
SELECT number, space, key, intDiv(number, 65536) AS bucket
FROM {{.Name "elector"}} FINAL
{{end}}
