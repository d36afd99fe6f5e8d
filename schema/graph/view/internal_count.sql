{{define "internal_count.comment"}}Internal: how many electors each listed movement carried{{end}}
{{define "internal_count"}}
SELECT c.movement AS movement, k.id_space AS id_space, k.key_id AS key_id, toUInt64(c.electors) AS electors
FROM
(
    SELECT movement, space, groupBitmapMerge(s.electors) AS electors
    FROM
    (
        SELECT movement, space, electors
        FROM ({{template "bitmaps" .}})
        UNION ALL
        SELECT movement, space, groupBitmapState(number) AS electors
        FROM ({{template "rows" .}})
        GROUP BY movement, space
    ) AS s
    GROUP BY movement, space
) AS c
INNER JOIN {{.Name "internal_space"}} AS k ON k.space = c.space
{{end}}
