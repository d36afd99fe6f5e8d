{{define "progress.comment"}}How far the consumer has read the log{{end}}
{{define "progress.columns"}}
    log           String               COMMENT 'Identity of the log',
    sequence      UInt64               COMMENT 'Everything up to this log message is in the graph',
    last_sequence UInt64               COMMENT 'Last message that the log had then',
    behind        UInt64               COMMENT 'Messages that were waiting then',
    written_at    DateTime64(6, 'UTC') COMMENT 'When this was so'
{{end}}
{{define "progress"}}
SELECT
    log,
    max(p.sequence)                                              AS sequence,
    greatest(argMax(p.last_sequence, (p.sequence, p.written_at)), max(p.sequence)) AS last_sequence,
    last_sequence - sequence                                     AS behind,
    argMax(p.written_at, (p.sequence, p.written_at))             AS written_at
FROM {{.Name "position"}} AS p
GROUP BY log
ORDER BY log
{{end}}
