{{define "movement_revisions.comment"}}Every revision of every movement that is kept: what was observed can be relabelled, what was declared retracted, and what it said before stays readable{{end}}
{{define "movement_revisions.columns"}}
    occurred_at     DateTime64(6, 'UTC')           COMMENT 'When the movement began, as this revision says (UTC)',
    org             String                         COMMENT 'Organisation that published it',
    sidecar         String                         COMMENT 'Sidecar that published it',
    id              String                         COMMENT 'Id of the movement; (org, sidecar, id) is unique',
    revision        UInt32                         COMMENT 'Revision, from 1',
    current         Bool                           COMMENT 'Whether this is what counts now: the greatest revision, and of equal ones the greatest body_hash',
    state           String                         COMMENT 'open or closed',
    outcome         String                         COMMENT 'completed, failed or retracted; empty while open',
    reason          String                         COMMENT 'Why it relabels or retracts the movement',
    kind            String                         COMMENT 'Kind of movement',
    basis           String                         COMMENT 'On whose word, as the centre takes it',
    published_basis String                         COMMENT 'On whose word, as it was published',
    removes         Bool                           COMMENT 'Whether it takes electors away from its input',
    inputs          Array(String)                  COMMENT 'Places that records came from',
    output          String                         COMMENT 'Place that records went to; empty for a destroy',
    actor           String                         COMMENT 'Who is claimed to have done it',
    purpose         String                         COMMENT 'Purpose given',
    agreement       String                         COMMENT 'Agreement given',
    legal_basis     String                         COMMENT 'Legal basis given',
    fields          Array(String)                  COMMENT 'Field categories that travelled',
    mode            String                         COMMENT 'How its electors are known: listed, whole or counted',
    records         UInt64                         COMMENT 'Rows seen, with or without an identifier',
    closed_at       Nullable(DateTime64(6, 'UTC')) COMMENT 'When it ended; NULL while open',
    recorded_at     DateTime64(6, 'UTC')           COMMENT 'When this revision was written',
    received_at     DateTime64(6, 'UTC')           COMMENT 'When the hub first received it',
    instance        String                         COMMENT 'Outbox that published it',
    sequence        UInt64                         COMMENT 'Its position in the chain of the outbox',
    version         String                         COMMENT 'Version of the software that published it',
    body_hash       String                         COMMENT 'SHA-256 of its body, in hex',
    body            String                         COMMENT 'Its body, verbatim: JSON'
{{end}}
{{define "movement_revisions"}}
SELECT
    r.occurred_at AS occurred_at, toString(r.org) AS org, toString(r.sidecar) AS sidecar, toString(r.id) AS id,
    r.revision AS revision, toBool(r.place_in_line = 1) AS current,
    toString(r.state) AS state, toString(r.outcome) AS outcome, r.reason AS reason, toString(r.kind) AS kind,
    toString(r.effective_basis) AS basis, toString(r.basis) AS published_basis, toBool(r.removes) AS removes,
    r.inputs AS inputs, toString(r.output) AS output, r.actor AS actor, toString(r.purpose) AS purpose, toString(r.agreement) AS agreement,
    toString(r.legal_basis) AS legal_basis, arrayMap(f -> toString(f), r.fields) AS fields, toString(r.mode) AS mode, r.records AS records,
    r.closed_at AS closed_at, r.recorded_at AS recorded_at, r.received_at AS received_at,
    toString(r.instance) AS instance, r.sequence AS sequence, toString(r.version) AS version, lower(hex(r.body_hash)) AS body_hash, r.body AS body
FROM
(
    SELECT *, row_number() OVER (PARTITION BY movement ORDER BY revision DESC, body_hash DESC) AS place_in_line
    FROM (SELECT * FROM {{.Name "movement_revision"}} ORDER BY movement, revision, body_hash, stream_sequence LIMIT 1 BY movement, revision, body_hash)
) AS r
WHERE {{.AsOf "r.occurred_at"}}
ORDER BY occurred_at, org, sidecar, id, revision, body_hash
{{end}}
