{{define "holes.comment"}}Messages that an outbox numbered and that never arrived; holes_as_of takes what the hub had received by then{{end}}
{{define "holes.columns"}}
    org            String COMMENT 'Organisation of the sidecar',
    sidecar        String COMMENT 'Sidecar',
    instance       String COMMENT 'Outbox',
    first_sequence UInt64 COMMENT 'First sequence missing',
    last_sequence  UInt64 COMMENT 'Last sequence missing',
    missing        UInt64 COMMENT 'How many are missing',
    reported       Bool   COMMENT 'Whether the sidecar reported the hole itself, as a gap'
{{end}}
{{define "holes"}}
SELECT
    m.org AS org, m.sidecar AS sidecar, m.instance AS instance,
    before + 1 AS first_sequence, sequence - 1 AS last_sequence, last_sequence - first_sequence + 1 AS missing,
    toBool(arrayExists(r -> r.1 <= first_sequence AND r.2 >= last_sequence, g.ranges)) AS reported
FROM
(
    SELECT org, sidecar, instance, sequence,
        lagInFrame(sequence, 1, 0) OVER (PARTITION BY org, sidecar, instance ORDER BY sequence ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
    FROM
    (
        SELECT DISTINCT toString(org) AS org, toString(sidecar) AS sidecar, toString(instance) AS instance, sequence
        FROM {{.Name "message"}}
        WHERE {{.AsOf "received_at"}} AND (org, sidecar, instance) IN
        (
            SELECT org, sidecar, instance FROM {{.Name "message"}} WHERE {{.AsOf "received_at"}} GROUP BY org, sidecar, instance HAVING groupBitmap(sequence) < max(sequence)
        )
    )
) AS m
LEFT JOIN
(
    SELECT toString(org) AS org, toString(sidecar) AS sidecar, toString(hole_instance) AS instance, groupArray((first_sequence, last_sequence)) AS ranges
    FROM {{.Name "gap"}}
    WHERE hole_instance != '' AND {{.AsOf "received_at"}}
    GROUP BY org, sidecar, instance
) AS g ON g.org = m.org AND g.sidecar = m.sidecar AND g.instance = m.instance
WHERE sequence > before + 1
ORDER BY org, sidecar, instance, first_sequence
{{end}}
