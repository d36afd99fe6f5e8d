{{define "rejections.comment"}}Messages that were not understood; rejections_as_of takes what the hub had received by then{{end}}
{{define "rejections.columns"}}
    stream_sequence UInt64               COMMENT 'Log message',
    received_at     DateTime64(6, 'UTC') COMMENT 'When the hub received it',
    subject         String               COMMENT 'Its subject',
    code            String               COMMENT 'Why, as a code',
    reason          String               COMMENT 'Why, in words, without the value at fault',
    parked          Bool                 COMMENT 'Whether it is of a later version, and can be replayed',
    settled         Bool                 COMMENT 'Whether the same message was read later',
    org             String               COMMENT 'Organisation, as the subject names it',
    sidecar         String               COMMENT 'Sidecar, as the subject names it',
    bytes           UInt64               COMMENT 'Size of its body'
{{end}}
{{define "rejections"}}
SELECT
    stream_sequence,
    any(r.received_at)         AS received_at,
    any(r.subject)             AS subject,
    toString(any(r.code))      AS code,
    any(r.reason)              AS reason,
    toBool(max(r.parked))      AS parked,
    toBool(any(r.message_id != '' AND r.message_id IN
        (SELECT message_id FROM {{.Name "message"}} WHERE {{.AsOf "received_at"}} AND message_id IN (SELECT message_id FROM {{.Name "rejected"}})))) AS settled,
    toString(any(r.org))       AS org,
    toString(any(r.sidecar))   AS sidecar,
    any(r.bytes)               AS bytes
FROM {{.Name "rejected"}} AS r
WHERE {{.AsOf "r.received_at"}}
GROUP BY stream_sequence
ORDER BY stream_sequence
{{end}}
