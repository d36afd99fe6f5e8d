{{define "flows.comment"}}From where to where movements went, by kind and mode; retracted ones left out{{end}}
{{define "flows.columns"}}
    from_place String               COMMENT 'Place that records came from',
    from_org   String               COMMENT 'Organisation that owns it',
    to_place   String               COMMENT 'Place that records went to; empty for a destroy',
    to_org     String               COMMENT 'Organisation that owns it; empty for a destroy',
    kind       String               COMMENT 'Kind of movement',
    mode       String               COMMENT 'How the electors are known: listed, whole or counted',
    movements  UInt64               COMMENT 'How many movements',
    first_at   DateTime64(6, 'UTC') COMMENT 'When the first began',
    last_at    DateTime64(6, 'UTC') COMMENT 'When the last began'
{{end}}
{{define "flows"}}
SELECT
    arrayJoin(m.inputs)                   AS from_place,
    splitByChar('/', from_place)[1]       AS from_org,
    m.output                              AS to_place,
    splitByChar('/', to_place)[1]         AS to_org,
    m.kind                                AS kind,
    m.mode                                AS mode,
    count()                               AS movements,
    min(m.occurred_at)                    AS first_at,
    max(m.occurred_at)                    AS last_at
FROM ({{template "current" .}}) AS m
GROUP BY from_place, to_place, kind, mode
ORDER BY from_place, to_place, kind, mode
{{end}}
