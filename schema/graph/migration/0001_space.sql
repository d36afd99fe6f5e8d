CREATE TABLE IF NOT EXISTS {{table "space"}}
(
    space          UInt16                 COMMENT 'small number of an id space under one secret; internal',
    id_space       LowCardinality(String) COMMENT 'what the identifiers are: elector-id, email, …',
    key_id         LowCardinality(String) COMMENT 'the secret under which the keys were made',
    first_sequence UInt64                 COMMENT 'log message in which it first appeared'
)
ENGINE = {{engine "ReplacingMergeTree" "space"}}
ORDER BY (id_space, key_id)
SETTINGS {{sync}}
COMMENT 'Id spaces and secrets, numbered in order of first appearance in the log'
