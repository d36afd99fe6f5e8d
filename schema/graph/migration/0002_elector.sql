CREATE TABLE IF NOT EXISTS {{table "elector"}}
(
    number         UInt32 COMMENT 'dense number of an elector key, in order of first appearance; internal' CODEC(T64, LZ4),
    space          UInt16 COMMENT 'the id space and secret, see space'                                     CODEC(LZ4),
    key            UInt64 COMMENT 'elector key'                                                            CODEC(NONE),
    first_sequence UInt64 COMMENT 'log message in which the key first appeared'                            CODEC(T64, LZ4)
)
ENGINE = {{engine "ReplacingMergeTree" "elector"}}
ORDER BY (intDiv(number, 65536), space, key)
SETTINGS {{sync}}, index_granularity = 1024
COMMENT 'Elector keys and their numbers: in buckets of 65,536 numbers, by key within each'
