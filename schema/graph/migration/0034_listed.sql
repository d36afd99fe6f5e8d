CREATE TABLE IF NOT EXISTS {{table "listed"}}
(
    movement UInt32                                       COMMENT 'number of the movement' CODEC(Delta(4), ZSTD(1)),
    space    UInt16                                       COMMENT 'id space and secret, see space' CODEC(ZSTD(1)),
    bucket   UInt16                                       COMMENT 'number >> 16; numbers of any bucket are with the last one, 65535' CODEC(Delta(2), ZSTD(1)),
    digest   UInt64                                       COMMENT 'of the numbers, or 0: other numbers of the movement are another row' CODEC(ZSTD(1)),
    electors AggregateFunction(groupBitmap, UInt32)       COMMENT 'numbers of the electors that are many in their bucket' CODEC(ZSTD(1)),
    numbers  SimpleAggregateFunction(any, Array(UInt32))  COMMENT 'numbers of electors that are few in their buckets, in order' CODEC(T64, LZ4)
)
ENGINE = {{engine "AggregatingMergeTree" "listed"}}
ORDER BY (movement, space, bucket, digest)
SETTINGS {{sync}}, index_granularity = 8, index_granularity_bytes = 16384, min_compress_block_size = 8192
COMMENT 'Electors of listed movements, by movement: bitmaps bucket by bucket, and as they are those too few for one'
