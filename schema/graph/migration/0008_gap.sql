CREATE TABLE IF NOT EXISTS {{table "gap"}}
(
    org             LowCardinality(String)         COMMENT 'organisation of the sidecar',
    sidecar         LowCardinality(String)         COMMENT 'sidecar that reported it',
    instance        LowCardinality(String)         COMMENT 'outbox that reported it',
    sequence        UInt64                         COMMENT 'position in the chain of the outbox' CODEC(Delta(8), ZSTD(1)),
    place           LowCardinality(String)         COMMENT 'place whose movements were not recorded; empty when not known',
    from_time       Nullable(DateTime64(6, 'UTC')) COMMENT 'from when',
    to_time         Nullable(DateTime64(6, 'UTC')) COMMENT 'until when',
    records         UInt64                         COMMENT 'records that passed unrecorded; 0 when not known' CODEC(T64, ZSTD(1)),
    bytes           UInt64                         COMMENT 'bytes that passed unrecorded; 0 when not known' CODEC(T64, ZSTD(1)),
    why             String                         COMMENT 'why' CODEC(ZSTD(1)),
    hole_instance   LowCardinality(String)         COMMENT 'outbox with the hole; empty when the gap is not about a hole',
    first_sequence  UInt64                         COMMENT 'first sequence lost; 0 when not about a hole' CODEC(ZSTD(1)),
    last_sequence   UInt64                         COMMENT 'last sequence lost; 0 when not about a hole' CODEC(ZSTD(1)),
    version         LowCardinality(String)         COMMENT 'version of the software',
    stream_sequence UInt64                         COMMENT 'log message' CODEC(Delta(8), ZSTD(1)),
    received_at     DateTime64(6, 'UTC')           COMMENT 'when the hub received it' CODEC(Delta(8), ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "gap"}}
ORDER BY (org, sidecar, instance, sequence, stream_sequence)
SETTINGS {{sync}}
COMMENT 'Gaps that sidecars reported'
