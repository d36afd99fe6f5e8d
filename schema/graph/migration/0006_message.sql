CREATE TABLE IF NOT EXISTS {{table "message"}}
(
    org             LowCardinality(String) COMMENT 'organisation that published it',
    sidecar         LowCardinality(String) COMMENT 'sidecar that published it',
    instance        LowCardinality(String) COMMENT 'outbox that published it',
    sequence        UInt64                 COMMENT 'position in the chain of the outbox, from 1' CODEC(Delta(8), ZSTD(1)),
    type            LowCardinality(String) COMMENT 'movement, electors, heartbeat or gap',
    hash            FixedString(32)        COMMENT 'SHA-256 of the signed form',
    previous        FixedString(32)        COMMENT 'hash of the message before it; zeroes for the first',
    signer          LowCardinality(String) COMMENT 'public nkey that signed it',
    message_id      String                 COMMENT 'message id' CODEC(ZSTD(1)),
    stream_sequence UInt64                 COMMENT 'log message' CODEC(Delta(8), ZSTD(1)),
    received_at     DateTime64(6, 'UTC')   COMMENT 'when the hub received it' CODEC(Delta(8), ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "message"}}
ORDER BY (org, sidecar, instance, sequence, stream_sequence)
SETTINGS {{sync}}
COMMENT 'The chain of every outbox: each message that was understood; holes are read from it'
