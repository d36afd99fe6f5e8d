CREATE TABLE IF NOT EXISTS {{table "listed_by_elector"}}
(
    slot     UInt64                                  COMMENT 'where electors are looked for: bucket << 17 for the bitmap of their bucket, plus 1 + number % 65,536 for one that is not in it' CODEC(Delta(8), ZSTD(1)),
    movement UInt32                                  COMMENT 'number of the movement' CODEC(Delta(4), ZSTD(1)),
    space    UInt16                                  COMMENT 'id space and secret, see space' CODEC(ZSTD(1)),
    electors AggregateFunction(groupBitmap, UInt32)  COMMENT 'numbers of the electors; empty where the slot is the elector' CODEC(ZSTD(1))
)
ENGINE = {{engine "AggregatingMergeTree" "listed_by_elector"}}
ORDER BY (slot, movement, space)
SETTINGS {{sync}}, index_granularity = 256, index_granularity_bytes = 1048576, min_compress_block_size = 16384
COMMENT 'Electors of listed movements, by elector: bitmaps bucket by bucket, and one by one those too few for one'
