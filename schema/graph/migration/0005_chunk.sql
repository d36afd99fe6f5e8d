CREATE TABLE IF NOT EXISTS {{table "chunk"}}
(
    movement        UInt32               COMMENT 'number of the movement; internal' CODEC(Delta(4), ZSTD(1)),
    `set`           UInt16               COMMENT 'which set of the movement, from 0' CODEC(ZSTD(1)),
    chunk           UInt32               COMMENT 'index of the chunk in its set, from 0' CODEC(Delta(4), ZSTD(1)),
    hash            FixedString(32)      COMMENT 'SHA-256 of the chunk''s body',
    space           UInt16               COMMENT 'id space and secret, see space' CODEC(ZSTD(1)),
    keys            UInt32               COMMENT 'keys in the chunk, repeated ones included' CODEC(T64, ZSTD(1)),
    stream_sequence UInt64               COMMENT 'log message' CODEC(Delta(8), ZSTD(1)),
    received_at     DateTime64(6, 'UTC') COMMENT 'when the hub received it' CODEC(Delta(8), ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "chunk"}}
ORDER BY (movement, `set`, chunk, hash, stream_sequence)
SETTINGS {{sync}}
COMMENT 'Chunks of keys that were read, without their keys'
