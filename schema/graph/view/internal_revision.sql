{{define "internal_revision.comment"}}Internal: what movement_revision says of where electors went{{end}}
{{define "internal_revision"}}
SELECT movement, revision, body_hash, org, sidecar, id, occurred_at, kind, outcome, mode, effective_basis, removes, inputs, output
FROM {{.Name "movement_revision"}}
{{end}}
