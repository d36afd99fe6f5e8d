{{define "internal_head.comment"}}Internal: which generations of derived sets count{{end}}
{{define "heads"}}SELECT movement, maxIf(generation, form = 'S') AS carried, maxIf(generation, form = 'kept') AS kept FROM {{.Name "derived_head"}} GROUP BY movement{{end}}
{{define "internal_head"}}{{template "heads" .}}{{end}}
{{define "internal_number.comment"}}Internal: numbers of elector keys, as they were written: one may be there twice{{end}}
{{define "internal_number"}}SELECT number, space, key FROM {{.Name "elector"}}{{end}}
