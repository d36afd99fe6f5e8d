{{/* The electors of every movement: in bitmaps, one or more for each bucket, and, where few are listed, in rows.
Bitmaps are listed or derived, in the generation that counts; what counts is what the movement's current mode says. One
read of derived_head: a cascade counts whole or not at all. Everything that follows electors reads these two. */}}
{{define "bitmaps"}}
    SELECT movement, 'listed' AS mode, space, bucket, {{template "electors_only" .}} AS electors
    FROM {{.Name "set_by_movement"}}
    UNION ALL
    SELECT movement, 'whole' AS mode, space, bucket, {{template "electors_only" .}} AS electors
    FROM {{.Name "derived"}}
    WHERE form = 'S' AND (movement, generation) IN (SELECT movement, max(generation) FROM {{.Name "derived_head"}} WHERE form = 'S' GROUP BY movement)
{{end}}
{{define "rows"}}SELECT movement, space, number FROM {{.Name "row_by_movement"}} WHERE number NOT IN ({{template "seeds" .}}){{end}}
{{define "internal_bitmap.comment"}}Internal: electors of movements, as bitmaps, one or more for each bucket; those of the movement's own mode count{{end}}
{{define "internal_bitmap"}}{{template "bitmaps" .}}{{end}}
{{define "internal_row.comment"}}Internal: electors of listed movements that are too few in their bucket for a bitmap; seeds too{{end}}
{{define "internal_row"}}SELECT movement, space, number FROM {{.Name "row_by_movement"}}{{end}}
