CREATE TABLE IF NOT EXISTS {{table "derived"}}
(
    movement   UInt32                                 COMMENT 'number of the movement' CODEC(Delta(4), ZSTD(1)),
    form       Enum8('S' = 1, 'kept' = 2)             COMMENT 'S: what a whole movement carried; kept: what its place held just after it' CODEC(ZSTD(1)),
    generation UInt64                                 COMMENT 'log message that it takes into account << 20, and which attempt' CODEC(Delta(8), ZSTD(1)),
    space      UInt16                                 COMMENT 'id space and secret, see space' CODEC(ZSTD(1)),
    bucket     UInt16                                 COMMENT 'number >> 16' CODEC(Delta(2), ZSTD(1)),
    electors   AggregateFunction(groupBitmap, UInt32) COMMENT 'numbers of the electors' CODEC(ZSTD(1))
)
ENGINE = {{engine "MergeTree" "derived"}}
ORDER BY (movement, form, generation, space, bucket)
SETTINGS {{sync}}, index_granularity = 256, index_granularity_bytes = 1048576
COMMENT 'Sets that were derived from others, as bitmaps, by movement; what derived_head names counts, and nothing else'
