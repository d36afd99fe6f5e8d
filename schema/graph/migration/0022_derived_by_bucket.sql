CREATE TABLE IF NOT EXISTS {{table "derived_by_bucket"}}
(
    movement   UInt32                                 COMMENT 'number of the movement' CODEC(Delta(4), ZSTD(1)),
    form       Enum8('S' = 1, 'kept' = 2)             COMMENT 'see derived' CODEC(ZSTD(1)),
    generation UInt64                                 COMMENT 'see derived' CODEC(Delta(8), ZSTD(1)),
    space      UInt16                                 COMMENT 'id space and secret, see space' CODEC(ZSTD(1)),
    bucket     UInt16                                 COMMENT 'number >> 16' CODEC(Delta(2), ZSTD(1)),
    electors   AggregateFunction(groupBitmap, UInt32) COMMENT 'numbers of the electors' CODEC(ZSTD(1))
)
ENGINE = {{engine "MergeTree" "derived_by_bucket"}}
ORDER BY (bucket, movement, form, generation, space)
SETTINGS {{sync}}, index_granularity = 256, index_granularity_bytes = 1048576
COMMENT 'What whole movements carried, as bitmaps, by bucket; what derived_head names counts, and nothing else'
