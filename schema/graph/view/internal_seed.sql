{{/* Seeds are invented entries, put into one copy so that it can be told from others. Whatever carries them later, and whenever
their own movement arrives, they are electors nowhere: everything that counts takes them away as it reads. An elector number
stands for one key of one id space, so that one bitmap has them all. With no seeds the condition is folded away. */}}
{{define "seeds"}}SELECT number FROM {{.Name "seed"}} GROUP BY number HAVING max(none) = 0{{end}}
{{define "electors_only"}}if((SELECT count() FROM ({{template "seeds" .}})) = 0, electors, bitmapAndnot(electors, (SELECT groupBitmapState(number) FROM ({{template "seeds" .}})))){{end}}
{{define "internal_seed.comment"}}Internal: numbers of elector keys that are seeds{{end}}
{{define "internal_seed"}}{{template "seeds" .}}{{end}}
{{define "internal_seeding.comment"}}Internal: which movements put which seeds into a copy{{end}}
{{define "internal_seeding"}}SELECT number, movement FROM {{.Name "seed"}} WHERE none = 0 AND number IN ({{template "seeds" .}}) GROUP BY number, movement{{end}}
