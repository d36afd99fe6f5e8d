{{define "finding_history.comment"}}Every time that a finding was opened, changed or resolved{{end}}
{{define "finding_history.columns"}}
    noted_at DateTime64(6, 'UTC') COMMENT 'When it was noted',
    finding  String               COMMENT 'Id of the finding',
    state    String               COMMENT 'open or resolved',
    reason   String               COMMENT 'Why it was noted',
    rule     String               COMMENT 'Rule',
    severity String               COMMENT 'low, medium or high',
    text     String               COMMENT 'What was found',
    about    String               COMMENT 'movement, place, holding, sidecar, gap or hole',
    subject  String               COMMENT 'Which one',
    since    Nullable(DateTime64(6, 'UTC')) COMMENT 'When what was found began; NULL when not known',
    position UInt64               COMMENT 'Log message up to which everything was taken into account',
    as_of    DateTime64(6, 'UTC') COMMENT 'Time that the rules were asked about'
{{end}}
{{define "finding_history"}}
SELECT noted_at, finding, toString(state) AS state, reason, toString(rule) AS rule, toString(severity) AS severity, text, toString(about) AS about, subject, since, position, as_of
FROM {{.Name "finding"}} FINAL
ORDER BY noted_at, finding, state
{{end}}
{{define "findings.comment"}}Everything that the rules found, as it stands: open, acknowledged, suppressed or resolved{{end}}
{{define "findings.columns"}}
    finding       String                         COMMENT 'Id of the finding',
    rule          String                         COMMENT 'Rule that found it',
    severity      String                         COMMENT 'low, medium or high',
    title         String                         COMMENT 'What the rule looks for',
    text          String                         COMMENT 'What was found',
    status        String                         COMMENT 'open, acknowledged, suppressed or resolved',
    since         Nullable(DateTime64(6, 'UTC')) COMMENT 'When what was found began; NULL when not known',
    opened_at     DateTime64(6, 'UTC')           COMMENT 'When this centre first noted it',
    noted_at      DateTime64(6, 'UTC')           COMMENT 'When it was last noted: opened, changed or resolved',
    reason        String                         COMMENT 'Why it was noted then',
    about         String                         COMMENT 'movement, place, holding, sidecar, gap or hole',
    subject       String                         COMMENT 'Which one',
    org           String                         COMMENT 'Organisation that published the movement; empty when it is about none',
    sidecar       String                         COMMENT 'Sidecar that published it',
    id            String                         COMMENT 'Id of the movement',
    places        Array(String)                  COMMENT 'Places concerned',
    organisations Array(String)                  COMMENT 'Organisations concerned',
    electors      UInt64                         COMMENT 'Electors concerned; 0 when not known',
    ruled_at      Nullable(DateTime64(6, 'UTC')) COMMENT 'When somebody last decided about it; NULL: never',
    ruled_by      String                         COMMENT 'Who decided',
    ruled_why     String                         COMMENT 'Why'
{{end}}
{{define "findings"}}
SELECT f.finding AS finding, f.last.3 AS rule, f.last.4 AS severity, f.last.5 AS title, f.last.6 AS text,
    multiIf(f.last.1 = 'resolved', 'resolved', r.ruling = 'suppress', 'suppressed', r.ruling = 'acknowledge', 'acknowledged', 'open') AS status,
    f.last.9 AS since, f.opened_at AS opened_at, f.noted AS noted_at, f.last.2 AS reason, f.last.7 AS about, f.last.8 AS subject,
    f.last.10 AS org, f.last.11 AS sidecar, f.last.12 AS id, f.last.13 AS places, f.last.14 AS organisations, f.last.15 AS electors,
    r.at AS ruled_at, ifNull(r.by, '') AS ruled_by, ifNull(r.why, '') AS ruled_why
FROM
(
    SELECT finding, min(noted_at) AS opened_at, max(noted_at) AS noted,
        argMax((toString(state), reason, toString(rule), toString(severity), toString(title), text, toString(about), subject, since,
            toString(x.org), toString(x.sidecar), x.id, arrayMap(p -> toString(p), x.places), arrayMap(p -> toString(p), x.organisations), x.electors), (noted_at, state)) AS last
    FROM {{.Name "finding"}} AS x
    GROUP BY finding
) AS f
LEFT JOIN (SELECT finding, toNullable(at) AS at, ruling, by, why FROM {{.Name "rulings"}} WHERE counts) AS r ON r.finding = f.finding
ORDER BY since NULLS FIRST, finding
{{end}}
{{define "internal_finding_position.comment"}}Internal: how far the rules have been asked{{end}}
{{define "internal_finding_position"}}SELECT log, sequence, as_of, rules, registry FROM {{.Name "finding_position"}}{{end}}
