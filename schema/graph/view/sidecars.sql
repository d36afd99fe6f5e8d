{{define "sidecars.comment"}}Every sidecar that was heard of: last heartbeat, silence, what waits in its outbox, holes and gaps{{end}}
{{define "sidecars.columns"}}
    org             String                         COMMENT 'Organisation of the sidecar',
    sidecar         String                         COMMENT 'Sidecar',
    places          Array(String)                  COMMENT 'Places that it covers, as its last heartbeat says',
    last_heartbeat  Nullable(DateTime64(6, 'UTC')) COMMENT 'When it wrote its last heartbeat, by its own clock; NULL when it sent none',
    last_heard      DateTime64(6, 'UTC')           COMMENT 'When the hub last received anything from it',
    interval_ms     UInt64                         COMMENT 'Milliseconds between its heartbeats',
    silent          Bool                           COMMENT 'Whether it has sent nothing for three intervals',
    silent_seconds  UInt64                         COMMENT 'Seconds since it was last heard',
    outbox_messages UInt64                         COMMENT 'Messages that waited in its outbox',
    outbox_bytes    UInt64                         COMMENT 'Bytes that waited in its outbox',
    clock_offset_us Int64                          COMMENT 'Microseconds that its clock is ahead of the hub''s',
    config          String                         COMMENT 'Digest of its configuration',
    version         String                         COMMENT 'Version of its software',
    messages        UInt64                         COMMENT 'Messages read from it',
    missing         UInt64                         COMMENT 'Messages that never arrived (see holes)',
    gaps            UInt64                         COMMENT 'Gaps that it reported (see gaps)',
    clock_most_us   UInt64                         COMMENT 'The most microseconds that its clock was ever off, either way'
{{end}}
{{define "sidecars"}}
SELECT
    s.org AS org, s.sidecar AS sidecar,
    h.places AS places,
    h.beat AS last_heartbeat,
    s.heard AS last_heard,
    ifNull(h.interval_ms, 0) AS interval_ms,
    toBool(ifNull(h.interval_ms, 0) > 0 AND now64(6, 'UTC') > addMilliseconds(s.heard, 3 * toInt64(ifNull(h.interval_ms, 0)))) AS silent,
    toUInt64(greatest(dateDiff('second', s.heard, now64(6, 'UTC')), 0)) AS silent_seconds,
    ifNull(h.outbox_messages, 0) AS outbox_messages, ifNull(h.outbox_bytes, 0) AS outbox_bytes, ifNull(h.clock_offset_us, 0) AS clock_offset_us,
    ifNull(h.config, '') AS config, ifNull(h.version, '') AS version,
    s.messages AS messages,
    toUInt64(s.missing) AS missing,
    ifNull(g.gaps, 0) AS gaps,
    toUInt64(ifNull(h.clock_most_us, 0)) AS clock_most_us
FROM
(
    SELECT org, sidecar, max(i.heard) AS heard, sum(i.messages) AS messages, sum(i.missing) AS missing
    FROM
    (
        SELECT toString(org) AS org, toString(sidecar) AS sidecar, max(received_at) AS heard,
            groupBitmap(sequence) AS messages, max(sequence) - groupBitmap(sequence) AS missing
        FROM {{.Name "message"}}
        WHERE type NOT IN ('registry', 'ruling') -- the operator's, who is no sidecar
        GROUP BY org, sidecar, instance
    ) AS i
    GROUP BY org, sidecar
) AS s
LEFT JOIN
(
    -- as of a time all but the clock is that of the last one before it
    SELECT toString(b.org) AS org, toString(b.sidecar) AS sidecar,
        maxOrNullIf(b.at, {{.AsOf "b.at"}}) AS beat,
        max(abs(b.clock_offset_us)) AS clock_most_us,
        argMaxIf(b.places, (b.at, b.instance, b.sequence), {{.AsOf "b.at"}}) AS places,
        argMaxIf(b.interval_ms, (b.at, b.instance, b.sequence), {{.AsOf "b.at"}}) AS interval_ms,
        argMaxIf(b.outbox_messages, (b.at, b.instance, b.sequence), {{.AsOf "b.at"}}) AS outbox_messages,
        argMaxIf(b.outbox_bytes, (b.at, b.instance, b.sequence), {{.AsOf "b.at"}}) AS outbox_bytes,
        argMaxIf(b.clock_offset_us, (b.at, b.instance, b.sequence), {{.AsOf "b.at"}}) AS clock_offset_us,
        toString(argMaxIf(b.config, (b.at, b.instance, b.sequence), {{.AsOf "b.at"}})) AS config,
        toString(argMaxIf(b.version, (b.at, b.instance, b.sequence), {{.AsOf "b.at"}})) AS version
    FROM {{.Name "heartbeat"}} AS b
    GROUP BY org, sidecar
) AS h ON h.org = s.org AND h.sidecar = s.sidecar
LEFT JOIN
(
    SELECT org, sidecar, count() AS gaps FROM {{.Name "gaps"}} GROUP BY org, sidecar
) AS g ON g.org = s.org AND g.sidecar = s.sidecar
ORDER BY org, sidecar
{{end}}
