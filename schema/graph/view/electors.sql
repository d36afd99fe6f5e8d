{{define "electors.comment"}}How many electors each place and each organisation holds, and how many reached it{{end}}
{{define "electors.columns"}}
    org      String COMMENT 'Organisation',
    place    String COMMENT 'Place; empty: the organisation as a whole, each elector counted once',
    id_space String COMMENT 'What the identifiers are; electors of different spaces may be the same people',
    key_id   String COMMENT 'The secret under which the keys were made',
    holding  UInt64 COMMENT 'Electors held: entered, and not destroyed since',
    reached  UInt64 COMMENT 'Electors that ever entered'
{{end}}
{{define "electors"}}
SELECT org, place, k.id_space AS id_space, k.key_id AS key_id, sum(kept_count) AS holding, sum(ever_count) AS reached
FROM
(
    SELECT org, place, space, bucket,
        bitmapCardinality(groupBitmapMergeState(h.kept)) AS kept_count,
        bitmapCardinality(groupBitmapMergeState(h.ever)) AS ever_count
    FROM
    (
        SELECT splitByChar('/', one)[1] AS org, arrayJoin(['', one]) AS place, space, bucket, kept, ever
        FROM (SELECT place AS one, space, bucket, kept, ever FROM ({{template "held" .}}))
    ) AS h
    GROUP BY org, place, space, bucket
) AS n
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = n.space
GROUP BY org, place, id_space, key_id
HAVING reached > 0
ORDER BY org, place, id_space, key_id
{{end}}
