CREATE TABLE IF NOT EXISTS {{table "derived_head"}}
(
    movement     UInt32                     COMMENT 'number of the movement' CODEC(Delta(4), ZSTD(1)),
    form         Enum8('S' = 1, 'kept' = 2) COMMENT 'see derived' CODEC(ZSTD(1)),
    generation   UInt64                     COMMENT 'the greatest one counts' CODEC(Delta(8), ZSTD(1)),
    published_at DateTime64(6, 'UTC')       COMMENT 'when it was published' CODEC(Delta(8), ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "derived_head" "generation"}}
ORDER BY (movement, form)
SETTINGS {{sync}}
COMMENT 'Which generation of each derived set counts; all that follow from one change come in one insert'
