{{define "internal_set.comment"}}Internal: the electors of every listed movement, bitmaps and rows united, one bitmap for each bucket{{end}}
{{define "internal_set"}}
SELECT movement, space, bucket, groupBitmapMergeState(s.electors) AS electors
FROM
(
    {{template "bitmaps" .}}
    UNION ALL
    SELECT movement, space, toUInt16(bitShiftRight(number, 16)) AS bucket, groupBitmapState(number) AS electors
    FROM ({{template "rows" .}})
    GROUP BY movement, space, bucket
) AS s
GROUP BY movement, space, bucket
{{end}}
