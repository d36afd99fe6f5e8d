{{/* The current form of every movement, the greatest (revision, body_hash): in the order of the primary key, so that the
first row of each is taken as it is read, and a condition on the movement finds it by its index. */}}
{{define "latest"}}(SELECT * FROM {{.Name "movement_revision"}} ORDER BY movement DESC, revision DESC, body_hash DESC LIMIT 1 BY movement){{end}}
{{define "real"}}outcome != 'retracted' AND {{.AsOf "occurred_at"}}{{end}}
{{/* What it takes to follow electors: a part of other views, and not one itself, because ClickHouse plans a view within
a view anew each time. */}}
{{define "current"}}
SELECT
    movement,
    toString(r.org)     AS org,
    toString(r.sidecar) AS sidecar,
    toString(r.id)      AS id, -- as text: ClickHouse orders UUIDs by their second half
    r.occurred_at       AS occurred_at,
    toString(r.kind)    AS kind,
    toString(r.outcome) AS outcome,
    toString(r.mode)    AS mode,
    toString(r.effective_basis) AS basis,
    r.removes           AS removes,
    r.inputs            AS inputs,
    toString(r.output)  AS output
FROM {{template "latest" .}} AS r
WHERE {{template "real" .}}
{{end}}
{{define "spaces"}}SELECT DISTINCT space, toString(id_space) AS id_space, toString(key_id) AS key_id FROM {{.Name "space"}}{{end}}
