{{define "rulings.comment"}}What was decided about findings, all of it: the last ruling on each counts{{end}}
{{define "rulings.columns"}}
    at      DateTime64(6, 'UTC') COMMENT 'When it was decided',
    finding String               COMMENT 'Id of the finding',
    ruling  String               COMMENT 'acknowledge, suppress or reopen',
    by      String               COMMENT 'Who decided it',
    why     String               COMMENT 'Why',
    counts  Bool                 COMMENT 'Whether it is the last one on that finding'
{{end}}
{{define "rulings"}}
SELECT at, finding, ruling, by, why, toBool(n = 1) AS counts
FROM
(
    SELECT r.at AS at, r.finding AS finding, toString(r.ruling) AS ruling, toString(r.by) AS by, r.why AS why, hash,
        row_number() OVER (PARTITION BY finding ORDER BY at DESC, hash DESC) AS n
    FROM (SELECT DISTINCT finding, at, hash, ruling, by, why FROM {{.Name "ruling"}} WHERE {{.AsOf "at"}}) AS r
)
ORDER BY at, finding, hash
{{end}}
