CREATE TABLE IF NOT EXISTS {{table "registry"}}
(
    hash            FixedString(32)        COMMENT 'hash of the message',
    version         UInt64                 COMMENT 'which version: 1, 2, 3 …' CODEC(ZSTD(1)),
    instance        LowCardinality(String) COMMENT 'chain of versions',
    applied_at      DateTime64(6, 'UTC')   COMMENT 'when it was applied; of those valid at a time, the last applied counts' CODEC(Delta(8), ZSTD(1)),
    valid_from      DateTime64(6, 'UTC')   COMMENT 'from when on it counts' CODEC(Delta(8), ZSTD(1)),
    by              LowCardinality(String) COMMENT 'who applied it',
    why             String                 COMMENT 'why' CODEC(ZSTD(1)),
    content         String                 COMMENT 'the registry, as JSON' CODEC(ZSTD(3)),
    stream_sequence UInt64                 COMMENT 'log message' CODEC(Delta(8), ZSTD(1)),
    received_at     DateTime64(6, 'UTC')   COMMENT 'when the hub received it' CODEC(Delta(8), ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "registry"}}
ORDER BY (applied_at, hash)
SETTINGS {{sync}}
COMMENT 'Every version of the registry: whose places there are, and what was agreed'
