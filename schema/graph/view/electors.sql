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
SELECT splitByChar('/', h.place)[1] AS org, arrayJoin(['', h.place]) AS place, k.id_space AS id_space, k.key_id AS key_id,
    toUInt64(groupBitmapMerge(h.stayed)) AS holding,
    toUInt64(groupBitmapMerge(h.came))   AS reached
FROM ({{template "held" .Undivided}}) AS h
INNER JOIN ({{template "spaces" .}}) AS k ON k.space = h.space
GROUP BY org, place, id_space, key_id
HAVING reached > 0
ORDER BY org, place, id_space, key_id
{{end}}
