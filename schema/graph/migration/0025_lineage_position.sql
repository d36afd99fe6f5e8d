CREATE TABLE IF NOT EXISTS {{table "lineage_position"}}
(
    log        String               COMMENT 'identity of the log (metadata rolltrace.id of the stream)',
    sequence   UInt64               COMMENT 'what follows from log messages up to this one is published',
    written_at DateTime64(6, 'UTC') COMMENT 'when this was written'
)
ENGINE = {{engine "ReplacingMergeTree" "lineage_position" "sequence"}}
ORDER BY log
SETTINGS {{sync}}
COMMENT 'How far the log has been derived'
