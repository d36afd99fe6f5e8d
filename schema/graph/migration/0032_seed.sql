CREATE TABLE IF NOT EXISTS {{table "seed"}}
(
    number   UInt32 COMMENT 'number of an elector key' CODEC(Delta(4), ZSTD(1)),
    movement UInt32 COMMENT 'number of the movement that says so' CODEC(Delta(4), ZSTD(1)),
    none     UInt8  COMMENT '0: it is a seed, an invented entry; 1: it is none, whoever says so' CODEC(ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "seed"}}
ORDER BY (number, movement, none)
SETTINGS {{sync}}
COMMENT 'Invented entries of copies, which are counted nowhere as electors'
