CREATE TABLE IF NOT EXISTS {{table "rejected"}}
(
    stream_sequence UInt64                 COMMENT 'log message' CODEC(Delta(8), ZSTD(1)),
    subject         String                 COMMENT 'subject of the message' CODEC(ZSTD(1)),
    code            LowCardinality(String) COMMENT 'why, as a code',
    reason          String                 COMMENT 'why, in words, without the value at fault' CODEC(ZSTD(1)),
    parked          UInt8                  COMMENT '1 when it is of a later version and can be replayed',
    org             LowCardinality(String) COMMENT 'organisation, as the subject names it',
    sidecar         LowCardinality(String) COMMENT 'sidecar, as the subject names it',
    message_id      String                 COMMENT 'message id; a message read later under the same id settles the rejection' CODEC(ZSTD(1)),
    bytes           UInt64                 COMMENT 'size of the body' CODEC(T64, ZSTD(1)),
    received_at     DateTime64(6, 'UTC')   COMMENT 'when the hub received it' CODEC(Delta(8), ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "rejected"}}
ORDER BY stream_sequence
SETTINGS {{sync}}
COMMENT 'Messages that were not understood; the messages themselves are in the rejected stream'
