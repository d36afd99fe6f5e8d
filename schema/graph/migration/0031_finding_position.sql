CREATE TABLE IF NOT EXISTS {{table "finding_position"}}
(
    log      String               COMMENT 'identity of the log (metadata rolltrace.id of the stream)',
    sequence UInt64               COMMENT 'what the rules find in everything up to this log message is noted',
    as_of    DateTime64(6, 'UTC') COMMENT 'time that the rules were asked about',
    rules    String               COMMENT 'digest of the rules',
    registry String               COMMENT 'digest of the versions of the registry'
)
ENGINE = {{engine "ReplacingMergeTree" "finding_position" "as_of"}}
ORDER BY log
SETTINGS {{sync}}
COMMENT 'How far the rules have been applied'
