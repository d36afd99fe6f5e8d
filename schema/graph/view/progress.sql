{{define "progress.comment"}}How far the consumer has read the log{{end}}
{{define "progress.columns"}}
    log           String               COMMENT 'Identity of the log',
    sequence      UInt64               COMMENT 'Everything up to this log message is in the graph',
    last_sequence UInt64               COMMENT 'Last message that the log had then',
    behind        UInt64               COMMENT 'Messages that were waiting then',
    written_at    DateTime64(6, 'UTC') COMMENT 'When this was so',
    derived       UInt64               COMMENT 'What follows from everything up to this log message is derived',
    underived     UInt64               COMMENT 'Messages in the graph that nothing is derived from yet'
{{end}}
{{define "progress"}}
SELECT
    log,
    maxIf(p.sequence, p.derives = 0)                             AS sequence,
    greatest(argMaxIf(p.last_sequence, (p.sequence, p.written_at), p.derives = 0), sequence) AS last_sequence,
    last_sequence - sequence                                     AS behind,
    argMaxIf(p.written_at, (p.sequence, p.written_at), p.derives = 0) AS written_at,
    maxIf(p.sequence, p.derives = 1)                             AS derived,
    sequence - least(derived, sequence)                          AS underived
FROM
(
    SELECT log, sequence, last_sequence, written_at, 0 AS derives FROM {{.Name "position"}}
    UNION ALL
    SELECT log, sequence, sequence, written_at, 1 AS derives FROM {{.Name "lineage_position"}}
) AS p
GROUP BY log
HAVING countIf(p.derives = 0) > 0
ORDER BY log
{{end}}
