{{/* The electors of every movement: in bitmaps, one or more for each bucket, and, where few are listed, in rows.
Bitmaps are listed (a digest is of numbers, which are read apart) or derived, in the generation that counts; what counts is what the movement's current mode says. One
read of derived_head: a cascade counts whole or not at all. Everything that follows electors reads these two. */}}
{{define "bitmaps"}}
    SELECT movement, 'listed' AS mode, space, bucket, {{template "electors_only" .}} AS electors
    FROM {{.Name "listed"}}
    WHERE digest = 0
    UNION ALL
    SELECT movement, 'whole' AS mode, space, bucket, {{template "electors_only" .}} AS electors
    FROM {{.Name "derived"}}
    WHERE form = 'S' AND (movement, generation) IN (SELECT movement, max(generation) FROM {{.Name "derived_head"}} WHERE form = 'S' GROUP BY movement)
{{end}}
{{define "rows"}}SELECT movement, space, number FROM {{.Name "listed"}} ARRAY JOIN numbers AS number WHERE number NOT IN ({{template "seeds" .}}){{end}}
{{define "internal_bitmap.comment"}}Internal: electors of movements, as bitmaps, one or more for each bucket; those of the movement's own mode count{{end}}
{{define "internal_bitmap"}}{{template "bitmaps" .}}{{end}}
