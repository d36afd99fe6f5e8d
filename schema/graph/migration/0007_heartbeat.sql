CREATE TABLE IF NOT EXISTS {{table "heartbeat"}}
(
    org             LowCardinality(String)        COMMENT 'organisation of the sidecar',
    sidecar         LowCardinality(String)        COMMENT 'sidecar',
    instance        LowCardinality(String)        COMMENT 'outbox',
    sequence        UInt64                        COMMENT 'position in the chain of the outbox' CODEC(Delta(8), ZSTD(1)),
    at              DateTime64(6, 'UTC')          COMMENT 'when the sidecar wrote it' CODEC(Delta(8), ZSTD(1)),
    interval_ms     UInt64                        COMMENT 'milliseconds until the next one is due' CODEC(ZSTD(1)),
    places          Array(LowCardinality(String)) COMMENT 'places that the sidecar covers' CODEC(ZSTD(1)),
    config          LowCardinality(String)        COMMENT 'digest of its configuration',
    last_sequence   UInt64                        COMMENT 'last sequence that it wrote before this one' CODEC(Delta(8), ZSTD(1)),
    last_hash       FixedString(32)               COMMENT 'hash of that message',
    outbox_messages UInt64                        COMMENT 'messages waiting in the outbox' CODEC(T64, ZSTD(1)),
    outbox_bytes    UInt64                        COMMENT 'bytes waiting in the outbox' CODEC(T64, ZSTD(1)),
    clock_offset_us Int64                         COMMENT 'microseconds that its clock is ahead of the hub''s' CODEC(T64, ZSTD(1)),
    version         LowCardinality(String)        COMMENT 'version of the software',
    stream_sequence UInt64                        COMMENT 'log message' CODEC(Delta(8), ZSTD(1)),
    received_at     DateTime64(6, 'UTC')          COMMENT 'when the hub received it' CODEC(Delta(8), ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "heartbeat"}}
ORDER BY (org, sidecar, at, instance, sequence, stream_sequence)
SETTINGS {{sync}}
COMMENT 'Heartbeats of sidecars'
