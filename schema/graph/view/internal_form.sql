{{/* Sets of electors as bitmaps, in every form and generation that is kept: for questions that know which they want. */}}
{{define "forms"}}
    SELECT movement, toUInt8(0) AS form, toUInt64(0) AS generation, space, bucket, electors
    FROM {{.Name "set_by_movement"}}
    UNION ALL
    SELECT movement, toUInt8(if(form = 'S', 1, 2)) AS form, generation, space, bucket, electors
    FROM {{.Name "derived"}}
{{end}}
{{define "internal_form.comment"}}Internal: electors of movements, as bitmaps, listed (form 0), or derived in some generation: carried whole (1), kept by a destroy (2){{end}}
{{define "internal_form"}}{{template "forms" .}}{{end}}
{{define "internal_head.comment"}}Internal: which generations of derived sets count{{end}}
{{define "heads"}}SELECT movement, maxIf(generation, form = 'S') AS carried, maxIf(generation, form = 'kept') AS kept FROM {{.Name "derived_head"}} GROUP BY movement{{end}}
{{define "internal_head"}}{{template "heads" .}}{{end}}
