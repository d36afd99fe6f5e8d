{{/* The current form of every movement, the greatest (revision, body_hash): what it takes to follow electors.
A part of other views, and not one itself, because ClickHouse plans a view within a view anew each time. */}}
{{define "current"}}
SELECT
    movement,
    any(toString(r.org))                                            AS org,
    any(toString(r.sidecar))                                        AS sidecar,
    any(toString(r.id))                                             AS id, -- as text: ClickHouse orders UUIDs by their second half
    argMax(r.occurred_at, (r.revision, r.body_hash))                AS occurred_at,
    argMax(toString(r.kind), (r.revision, r.body_hash))             AS kind,
    argMax(toString(r.outcome), (r.revision, r.body_hash))          AS outcome,
    argMax(toString(r.mode), (r.revision, r.body_hash))             AS mode,
    argMax(r.removes, (r.revision, r.body_hash))                    AS removes,
    argMax(r.inputs, (r.revision, r.body_hash))                     AS inputs,
    argMax(toString(r.output), (r.revision, r.body_hash))           AS output
FROM {{.Name "movement_revision"}} AS r
GROUP BY movement
{{template "current.real" .}}
{{end}}
{{define "current.real"}}HAVING argMax(r.exercise, (r.revision, r.body_hash)) = '' AND outcome != 'retracted' AND {{.AsOf "occurred_at"}}{{end}}
{{define "spaces"}}SELECT DISTINCT space, toString(id_space) AS id_space, toString(key_id) AS key_id FROM {{.Name "space"}}{{end}}
