CREATE TABLE IF NOT EXISTS {{table "row_by_movement"}}
(
    movement UInt32 COMMENT 'number of the movement' CODEC(Delta(4), ZSTD(1)),
    space    UInt16 COMMENT 'id space and secret, see space' CODEC(ZSTD(1)),
    number   UInt32 COMMENT 'number of the elector' CODEC(Delta(4), ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "row_by_movement"}}
ORDER BY (movement, space, number)
SETTINGS {{sync}}, index_granularity = 1024
COMMENT 'Electors of listed movements that are too few in their bucket for a bitmap, by movement'
