CREATE TABLE IF NOT EXISTS {{table "position"}}
(
    log           String               COMMENT 'identity of the log (metadata rolltrace.id of the stream)',
    sequence      UInt64               COMMENT 'everything up to this log message is in the other tables',
    last_sequence UInt64               COMMENT 'last message that the log had when this was written',
    written_at    DateTime64(6, 'UTC') COMMENT 'when this was written'
)
ENGINE = {{engine "ReplacingMergeTree" "position" "sequence"}}
ORDER BY log
SETTINGS {{sync}}
COMMENT 'How far the log has been read'
