CREATE TABLE IF NOT EXISTS {{table "finding"}}
(
    finding       String                        COMMENT 'id: a function of rule and subject' CODEC(ZSTD(1)),
    noted_at      DateTime64(6, 'UTC')          COMMENT 'when it was noted; the last line counts' CODEC(Delta(8), ZSTD(1)),
    state         LowCardinality(String)        COMMENT 'open or resolved',
    reason        String                        COMMENT 'why it is noted' CODEC(ZSTD(1)),
    position      UInt64                        COMMENT 'log message up to which everything was taken into account' CODEC(Delta(8), ZSTD(1)),
    as_of         DateTime64(6, 'UTC')          COMMENT 'time that the rules were asked about' CODEC(Delta(8), ZSTD(1)),
    rule          LowCardinality(String)        COMMENT 'rule',
    severity      LowCardinality(String)        COMMENT 'low, medium or high',
    title         LowCardinality(String)        COMMENT 'title of the rule',
    text          String                        COMMENT 'what was found' CODEC(ZSTD(1)),
    about         LowCardinality(String)        COMMENT 'movement, place, holding, sidecar, gap or hole',
    subject       String                        COMMENT 'which one' CODEC(ZSTD(1)),
    since         Nullable(DateTime64(6, 'UTC')) COMMENT 'when what was found began; NULL when not known' CODEC(ZSTD(1)),
    org           LowCardinality(String)        COMMENT 'organisation that published the movement; empty when it is about none',
    sidecar       LowCardinality(String)        COMMENT 'sidecar that published it',
    id            String                        COMMENT 'id of the movement' CODEC(ZSTD(1)),
    places        Array(LowCardinality(String)) COMMENT 'places concerned' CODEC(ZSTD(1)),
    organisations Array(LowCardinality(String)) COMMENT 'organisations concerned' CODEC(ZSTD(1)),
    electors      UInt64                        COMMENT 'electors concerned; 0 when not known' CODEC(ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "finding"}}
ORDER BY (finding, noted_at, state)
SETTINGS {{sync}}
COMMENT 'History of findings: a line for each time that one was opened, changed or resolved'
