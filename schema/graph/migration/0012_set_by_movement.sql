CREATE TABLE IF NOT EXISTS {{table "set_by_movement"}}
(
    movement UInt32                                  COMMENT 'number of the movement' CODEC(Delta(4), ZSTD(1)),
    space    UInt16                                  COMMENT 'id space and secret, see space' CODEC(ZSTD(1)),
    bucket   UInt16                                  COMMENT 'number >> 16' CODEC(Delta(2), ZSTD(1)),
    electors AggregateFunction(groupBitmap, UInt32)  COMMENT 'numbers of the electors' CODEC(ZSTD(1))
)
ENGINE = {{engine "AggregatingMergeTree" "set_by_movement"}}
ORDER BY (movement, space, bucket)
SETTINGS {{sync}}, index_granularity = 256, index_granularity_bytes = 1048576
COMMENT 'Electors of listed movements, as bitmaps, by movement; parts too small for a bitmap are in row_by_*'
