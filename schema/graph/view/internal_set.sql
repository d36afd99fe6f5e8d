{{define "internal_set.comment"}}Internal: the electors of every movement, bitmaps and rows united, one bitmap for each bucket; those of the movement's own mode count{{end}}
{{define "internal_set"}}
SELECT movement, mode, space, bucket, groupBitmapMergeState(s.electors) AS electors
FROM
(
    {{template "bitmaps" .}}
    UNION ALL
    SELECT movement, 'listed' AS mode, space, toUInt16(bitShiftRight(number, 16)) AS bucket, groupBitmapState(number) AS electors
    FROM ({{template "rows" .}})
    GROUP BY movement, space, bucket
) AS s
GROUP BY movement, mode, space, bucket
HAVING bitmapCardinality(electors) > 0
{{end}}
