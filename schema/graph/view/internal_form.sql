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
{{/* By the number of the elector, or its bucket: one view for each table, because planning a union takes longer than reading. */}}
{{define "internal_set_by_bucket.comment"}}Internal: electors of listed movements, as bitmaps, for questions about one elector{{end}}
{{define "internal_set_by_bucket"}}SELECT bucket, space, movement, electors FROM {{.Name "set_by_bucket"}}{{end}}
{{define "internal_derived_by_bucket.comment"}}Internal: what whole movements carried, in every generation that is kept, for questions about one elector{{end}}
{{define "internal_derived_by_bucket"}}SELECT bucket, space, movement, generation, electors FROM {{.Name "derived_by_bucket"}}{{end}}
{{define "internal_row_by_elector.comment"}}Internal: internal_row, by the number of the elector{{end}}
{{define "internal_row_by_elector"}}SELECT number, space, movement FROM {{.Name "row_by_elector"}}{{end}}
{{define "internal_number.comment"}}Internal: numbers of elector keys, as they were written: one may be there twice{{end}}
{{define "internal_number"}}SELECT number, space, key FROM {{.Name "elector"}}{{end}}
