{{define "internal_set.comment"}}Internal: the electors of every listed movement, bitmaps and rows united, one bitmap for each bucket{{end}}
{{define "internal_set"}}
SELECT movement, space, bucket, groupBitmapMergeState(s.electors) AS electors
FROM
(
    SELECT movement, space, bucket, electors
    FROM {{.Name "set_by_movement"}}
    UNION ALL
    SELECT movement, space, toUInt16(bitShiftRight(number, 16)) AS bucket, groupBitmapState(number) AS electors
    FROM {{.Name "row_by_movement"}}
    GROUP BY movement, space, bucket
) AS s
GROUP BY movement, space, bucket
{{end}}
