CREATE TABLE IF NOT EXISTS {{table "elector"}}
(
    number         UInt32 COMMENT 'dense number of an elector key, in order of first appearance; internal' CODEC(Delta(4), ZSTD(1)),
    space          UInt16 COMMENT 'the id space and secret, see space'                                     CODEC(ZSTD(1)),
    key            UInt64 COMMENT 'elector key'                                                            CODEC(Delta(8), ZSTD(1)),
    first_sequence UInt64 COMMENT 'log message in which the key first appeared'                            CODEC(Delta(8), ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "elector"}}
ORDER BY (intDiv(number, 65536), space, key)
SETTINGS {{sync}}, index_granularity = 512, min_compress_block_size = 4096, max_compress_block_size = 65536
COMMENT 'Elector keys and their numbers: in buckets of 65,536 numbers, by key within each'
