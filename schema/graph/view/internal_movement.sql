{{define "internal_movement.comment"}}Internal: every movement in its current form, the greatest (revision, body_hash), with its number{{end}}
{{define "internal_movement"}}
SELECT
    movement,
    r.org                    AS org,
    r.sidecar                AS sidecar,
    r.id                     AS id,
    r.revision               AS revision,
    c.revisions              AS revisions,
    r.state                  AS state,
    r.outcome                AS outcome,
    r.reason                 AS reason,
    r.kind                   AS kind,
    r.known_kind             AS known_kind,
    r.basis                  AS published_basis,
    r.effective_basis        AS basis,
    r.removes                AS removes,
    r.occurred_at            AS occurred_at,
    r.closed_at              AS closed_at,
    r.recorded_at            AS recorded_at,
    r.inputs                 AS inputs,
    r.input_fields           AS input_fields,
    r.output                 AS output,
    r.actor                  AS actor,
    r.recorded_by_user       AS recorded_by_user,
    r.recorded_by_host       AS recorded_by_host,
    r.purpose                AS purpose,
    r.agreement              AS agreement,
    r.legal_basis            AS legal_basis,
    r.fields                 AS fields,
    r.mode                   AS mode,
    r.records                AS records,
    r.set_id_space           AS set_id_space,
    r.set_key_id             AS set_key_id,
    r.set_keys               AS set_keys,
    r.set_unkeyed            AS set_unkeyed,
    r.seeds                  AS seeds,
    r.set_chunks             AS set_chunks,
    r.evidence_mac           AS evidence_mac,
    r.evidence_bytes         AS evidence_bytes,
    r.evidence_statement     AS evidence_statement,
    r.evidence_document      AS evidence_document,
    c.received_at            AS received_at
FROM {{template "latest" .}} AS r
INNER JOIN
(
    SELECT movement, uniqExact((revision, body_hash)) AS revisions, min(received_at) AS received_at
    FROM {{.Name "movement_revision"}}
    GROUP BY movement
) AS c ON c.movement = r.movement
{{end}}
