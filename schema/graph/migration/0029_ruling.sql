CREATE TABLE IF NOT EXISTS {{table "ruling"}}
(
    finding         String                 COMMENT 'id of the finding' CODEC(ZSTD(1)),
    at              DateTime64(6, 'UTC')   COMMENT 'when it was decided; the last one counts' CODEC(Delta(8), ZSTD(1)),
    hash            FixedString(32)        COMMENT 'hash of the message',
    ruling          LowCardinality(String) COMMENT 'acknowledge, suppress or reopen',
    by              LowCardinality(String) COMMENT 'who decided it',
    why             String                 COMMENT 'why' CODEC(ZSTD(1)),
    stream_sequence UInt64                 COMMENT 'log message' CODEC(Delta(8), ZSTD(1)),
    received_at     DateTime64(6, 'UTC')   COMMENT 'when the hub received it' CODEC(Delta(8), ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "ruling"}}
ORDER BY (finding, at, hash)
SETTINGS {{sync}}
COMMENT 'What was decided about findings; nothing is ever taken out'
