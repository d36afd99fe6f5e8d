{{define "route"}}
SELECT
    key, id_space, key_id, target, toUInt32(step) AS step,
    m.1 AS occurred_at, m.2 AS org, m.3 AS sidecar, m.4 AS id, m.5 AS kind, m.6 AS basis, m.7 AS state, m.8 AS outcome,
    m.9 AS inputs,
    from_place,
    m.10 AS to_place, m.11 AS actor, m.12 AS purpose, m.13 AS agreement, m.14 AS fields
FROM
(
    SELECT key, id_space, key_id, goal.1 AS target,
        -- by number first: a lambda copies what it holds for each element
        arrayFold((route, x) -> if(before[route[1]] = 0, route, arrayPushFront(route, before[route[1]])), before, [goal.2]) AS numbers,
        arrayFilter((m, i) -> has(numbers, i), ms, arrayEnumerate(ms)) AS path,
        arrayMap((m, from) -> multiIf(from != '', from, length(m.9) = 1, m.9[1], ''), path, arrayPopBack(arrayPushFront(arrayMap(m -> m.10, path), ''))) AS froms
    FROM
    (
        WITH
            arraySort(m -> (m.1, m.2, m.3, m.4), groupArray((occurred_at, org, sidecar, id, kind, basis, state, outcome, inputs, output, actor, purpose, agreement, fields))) AS ms,
            arrayMap(m -> m.10, ms) AS outputs,
            -- for each movement the earliest one before it that brought the elector to one of its inputs; 0: none did
            arrayMap((m, i) -> arrayFirstIndex((p, j) -> j < i AND has(m.9, p), outputs, arrayEnumerate(outputs)), ms, arrayEnumerate(ms)) AS before,
            -- the first entry into the place asked, or, when none is, into each place
            if({{.AtText}} = '', arrayMap(p -> (p, toUInt32(indexOf(outputs, p))), arrayDistinct(outputs)),
                arrayFilter(t -> t.2 > 0, [({{.AtText}}, arrayFirstIndex(p -> {{.At "p"}}, outputs))])) AS targets
        SELECT key, id_space, key_id, ms, before, arrayJoin(targets) AS goal
        FROM ({{template "dossier" .}})
        WHERE output != '' AND outcome != 'retracted' AND {{.TooMuch (printf "(SELECT count() FROM %s)" (.Name "elector")) 1000000}} = 0
        GROUP BY key, id_space, key_id
    )
)
ARRAY JOIN path AS m, froms AS from_place, arrayEnumerate(path) AS step
ORDER BY key, id_space, key_id, target, step
{{end}}
{{define "route.comment"}}The earliest route of an elector to a place, to the first place of an organisation that it reached, or (at empty) to each place; one row each step{{end}}
{{define "route.columns"}}
    key         String               COMMENT 'Elector key: 16 hex digits',
    id_space    String               COMMENT 'What the identifier is',
    key_id      String               COMMENT 'The secret under which the key was made',
    target      String               COMMENT 'Where the route leads: a place, or in the twin the place or organisation asked',
    step        UInt32               COMMENT 'Which step of the route, from 1',
    occurred_at DateTime64(6, 'UTC') COMMENT 'When the movement began (UTC)',
    org         String               COMMENT 'Organisation that published it',
    sidecar     String               COMMENT 'Sidecar that published it',
    id          String               COMMENT 'Id of the movement',
    kind        String               COMMENT 'Kind of movement',
    basis       String               COMMENT 'On whose word: observed, declared or attested',
    state       String               COMMENT 'open or closed',
    outcome     String               COMMENT 'completed or failed; empty while open',
    inputs      Array(String)        COMMENT 'All places that the movement took records from',
    from_place  String               COMMENT 'The one that this record came by; empty where there are several and none is known to have had it',
    to_place    String               COMMENT 'Place that it came to',
    actor       String               COMMENT 'Who is claimed to have done it',
    purpose     String               COMMENT 'Purpose given',
    agreement   String               COMMENT 'Agreement given',
    fields      Array(String)        COMMENT 'Field categories that travelled'
{{end}}
