{{/* The electors of every movement: in bitmaps, one for each bucket, and, where they are too few for one, in rows.
Everything that follows electors reads these two. */}}
{{define "bitmaps"}}SELECT movement, space, bucket, electors FROM {{.Name "set_by_movement"}}{{end}}
{{define "rows"}}SELECT movement, space, number FROM {{.Name "row_by_movement"}}{{end}}
{{define "internal_bitmap.comment"}}Internal: electors of movements, as bitmaps, one or more for each bucket{{end}}
{{define "internal_bitmap"}}{{template "bitmaps" .}}{{end}}
{{define "internal_row.comment"}}Internal: electors of movements that are too few in their bucket for a bitmap{{end}}
{{define "internal_row"}}{{template "rows" .}}{{end}}
