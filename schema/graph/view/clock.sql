{{/* Movements whose order with another decides what they did, closer to it than the clocks of their two sidecars are off:
what left a place beside what entered it or was destroyed there, and what was destroyed beside what entered (and, where everything was
destroyed, beside what was destroyed). How far a
clock is off is the most that its heartbeats said on the day of the movement, the one before and the one after. Only
movements within a width of each other are compared: twice the most that any clock was ever off. */}}
{{define "internal_clock.comment"}}Internal: coverage, as far as clocks decide{{end}}
{{define "internal_clock"}}
WITH
    (SELECT toInt64(max(abs(clock_offset_us))) FROM {{.Name "heartbeat"}}) AS worst,
    2 * worst + 1 AS width
SELECT 'clock' AS code, toNullable(any(l.occurred_at)) AS occurred_at, any(l.org) AS org, any(l.sidecar) AS sidecar, any(l.id) AS id,
    any(l.kind) AS kind, any(l.inputs) AS inputs, any(l.output) AS output, uniqExact(e.movement) AS count
FROM
(
    SELECT movement, occurred_at, org, sidecar, id, kind, inputs, output, removes, mode, off, arrayJoin(inputs) AS place, intDiv(toUnixTimestamp64Micro(occurred_at), width) AS stretch
    FROM ({{template "clocked" .}})
    WHERE output != '' OR removes = 1
) AS l
INNER JOIN
(
    SELECT movement, occurred_at, org, sidecar, removes, off, if(removes = 1, inputs[1], output) AS place,
        intDiv(toUnixTimestamp64Micro(occurred_at), width) + arrayJoin([-1, 0, 1]) AS stretch
    FROM ({{template "clocked" .}})
    WHERE output != '' OR removes = 1
) AS e ON e.place = l.place AND e.stretch = l.stretch
WHERE (e.org, e.sidecar) != (l.org, l.sidecar) AND (e.removes = 0 OR l.removes = 0 OR l.mode = 'whole')
    AND abs(toUnixTimestamp64Micro(e.occurred_at) - toUnixTimestamp64Micro(l.occurred_at)) < e.off + l.off
GROUP BY l.movement
{{end}}
{{define "clocked"}}
SELECT m.*, o.off AS off
FROM ({{template "current" .}}) AS m
LEFT JOIN
(
    SELECT toString(b.org) AS org, toString(b.sidecar) AS sidecar, toDate32(b.at) + arrayJoin([-1, 0, 1]) AS day, toInt64(max(abs(b.clock_offset_us))) AS off
    FROM {{.Name "heartbeat"}} AS b
    GROUP BY org, sidecar, day
) AS o ON o.org = m.org AND o.sidecar = m.sidecar AND o.day = toDate32(m.occurred_at)
WHERE worst > 0 AND m.mode != 'counted'
{{end}}
