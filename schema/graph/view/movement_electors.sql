{{define "movement_electors.comment"}}How many electors each movement carried, listed or derived, by id space and secret{{end}}
{{define "movement_electors.columns"}}
    occurred_at DateTime64(6, 'UTC') COMMENT 'When the movement began (UTC)',
    org         String               COMMENT 'Organisation that published it',
    sidecar     String               COMMENT 'Sidecar that published it',
    id          String               COMMENT 'Id of the movement',
    kind        String               COMMENT 'Kind of movement',
    inputs      Array(String)        COMMENT 'Places that records came from',
    output      String               COMMENT 'Place that records went to; empty for a destroy',
    id_space    String               COMMENT 'What the identifiers are',
    key_id      String               COMMENT 'The secret under which the keys were made',
    electors    UInt64               COMMENT 'Different electors'
{{end}}
{{define "movement_electors"}}
SELECT
    m.occurred_at AS occurred_at, toString(m.org) AS org, toString(m.sidecar) AS sidecar, toString(m.id) AS id,
    toString(m.kind) AS kind, m.inputs AS inputs, toString(m.output) AS output,
    c.id_space AS id_space, c.key_id AS key_id, c.electors AS electors
FROM {{.Name "internal_count"}} AS c
INNER JOIN {{.Name "internal_movement"}} AS m ON m.movement = c.movement AND toString(m.mode) = c.mode
WHERE {{.AsOf "m.occurred_at"}}
ORDER BY occurred_at, org, sidecar, id, id_space, key_id
{{end}}
