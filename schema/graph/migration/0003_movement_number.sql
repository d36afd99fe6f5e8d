CREATE TABLE IF NOT EXISTS {{table "movement_number"}}
(
    movement       UInt32                 COMMENT 'dense number of a movement, in order of first appearance; internal' CODEC(Delta(4), ZSTD(1)),
    org            LowCardinality(String) COMMENT 'organisation that published it',
    sidecar        LowCardinality(String) COMMENT 'sidecar that published it',
    id             UUID                   COMMENT 'id of the movement'                                                 CODEC(ZSTD(1)),
    first_sequence UInt64                 COMMENT 'log message (movement or chunk) in which it first appeared'         CODEC(Delta(8), ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "movement_number"}}
ORDER BY (org, sidecar, id)
SETTINGS {{sync}}
COMMENT 'Movements and their numbers'
