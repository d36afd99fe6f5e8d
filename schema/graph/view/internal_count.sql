{{define "internal_count.comment"}}Internal: how many electors each movement carried, listed or derived; those of the movement's own mode count{{end}}
{{define "internal_count"}}
SELECT c.movement AS movement, c.mode AS mode, k.id_space AS id_space, k.key_id AS key_id, toUInt64(c.electors) AS electors
FROM
(
    SELECT movement, mode, space, groupBitmapMerge(s.electors) AS electors
    FROM
    (
        SELECT movement, mode, space, electors
        FROM ({{template "bitmaps" .}})
        UNION ALL
        SELECT movement, 'listed' AS mode, space, groupBitmapState(number) AS electors
        FROM ({{template "rows" .}})
        GROUP BY movement, space
    ) AS s
    GROUP BY movement, mode, space
) AS c
INNER JOIN {{.Name "internal_space"}} AS k ON k.space = c.space
WHERE c.electors > 0 -- nobody but seeds
{{end}}
