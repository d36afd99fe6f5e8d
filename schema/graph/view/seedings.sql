{{define "seedings.comment"}}Which movements put seeds (invented entries, see docs/seeds.md) into the copy that they brought somewhere, and how many: they are counted nowhere. Which keys they are is not said{{end}}
{{define "seedings.columns"}}
    occurred_at   DateTime64(6, 'UTC') COMMENT 'When the movement began (UTC)',
    org           String               COMMENT 'Organisation that published it, and calls these entries seeds',
    sidecar       String               COMMENT 'Sidecar that published it',
    id            String               COMMENT 'Id of the movement',
    outcome       String               COMMENT 'completed, failed or retracted; empty while open. Seeds of a retracted movement stay seeds',
    inputs        Array(String)        COMMENT 'Places that the copy was made from',
    to_org        String               COMMENT 'Organisation that owns the place',
    place         String               COMMENT 'Place that the copy with the seeds went to',
    seeds         UInt64               COMMENT 'Different seeds that it put in: as many are left out of what is counted',
    listed_before UInt64               COMMENT 'Of these, those that another movement had listed before, so that they may be electors whom somebody calls seeds; 0 is usual'
{{end}}
{{define "seedings"}}
WITH
n AS
(
    SELECT number, movement, {{template "slots"}}
    FROM {{.Name "seed"}}
    WHERE none = 0 AND number IN ({{template "seeds" .}})
    GROUP BY number, movement
),
m AS
(
    SELECT movement, occurred_at, toString(org) AS org, toString(sidecar) AS sidecar, toString(id) AS id, toString(outcome) AS outcome, inputs, toString(output) AS output
    FROM {{template "latest" .}}
    WHERE {{.AsOf "occurred_at"}}
)
SELECT m.occurred_at AS occurred_at, m.org AS org, m.sidecar AS sidecar, m.id AS id, m.outcome AS outcome, m.inputs AS inputs,
    splitByChar('/', m.output)[1] AS to_org, m.output AS place, s.seeds AS seeds, toUInt64(b.seeds) AS listed_before
FROM (SELECT movement, uniqExact(number) AS seeds FROM n GROUP BY movement) AS s
INNER JOIN m ON m.movement = s.movement
LEFT JOIN
(
    SELECT l.movement AS movement, uniqExact(l.number) AS seeds
    FROM
    (
        SELECT n.movement AS movement, n.number AS number, t.movement AS other
        FROM {{.Name "listed_by_elector"}} AS t
        INNER JOIN n ON n.bucket_slot = t.slot
        WHERE t.slot IN (SELECT bucket_slot FROM n) AND bitmapContains(t.electors, n.number)
        UNION ALL
        SELECT n.movement, n.number, t.movement
        FROM {{.Name "listed_by_elector"}} AS t
        INNER JOIN n ON n.slot = t.slot
        WHERE t.slot IN (SELECT slot FROM n)
    ) AS l
    INNER JOIN m AS a ON a.movement = l.movement
    INNER JOIN m AS o ON o.movement = l.other
    WHERE o.outcome != 'retracted' AND (o.occurred_at, o.org, o.sidecar, o.id) < (a.occurred_at, a.org, a.sidecar, a.id)
        AND (l.number, l.other) NOT IN (SELECT number, movement FROM n)
    GROUP BY movement
) AS b ON b.movement = s.movement
ORDER BY occurred_at, org, sidecar, id
{{end}}
