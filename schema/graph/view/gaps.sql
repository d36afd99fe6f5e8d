{{define "gaps.comment"}}What sidecars say that they did not record; gaps_as_of leaves out what began later{{end}}
{{define "gaps.columns"}}
    org            String                         COMMENT 'Organisation of the sidecar',
    sidecar        String                         COMMENT 'Sidecar that reported it',
    place          String                         COMMENT 'Place whose movements were not recorded; empty when not known',
    from_time      Nullable(DateTime64(6, 'UTC')) COMMENT 'From when; NULL when not known',
    to_time        Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when; NULL when not known',
    records        UInt64                         COMMENT 'Records that passed unrecorded; 0 when not known',
    bytes          UInt64                         COMMENT 'Bytes that passed unrecorded; 0 when not known',
    why            String                         COMMENT 'Why',
    hole_instance  String                         COMMENT 'Outbox with a hole; empty when the gap is not about one',
    first_sequence UInt64                         COMMENT 'First sequence lost; 0 when not about a hole',
    last_sequence  UInt64                         COMMENT 'Last sequence lost; 0 when not about a hole'
{{end}}
{{define "gaps"}}
SELECT org, sidecar, place, from_time, to_time, records, bytes, why, hole_instance, first_sequence, last_sequence
FROM
(
    SELECT DISTINCT toString(g.org) AS org, toString(g.sidecar) AS sidecar, g.instance AS instance, g.sequence AS sequence, toString(g.place) AS place,
        g.from_time AS from_time, g.to_time AS to_time, g.records AS records, g.bytes AS bytes, g.why AS why,
        toString(g.hole_instance) AS hole_instance, g.first_sequence AS first_sequence, g.last_sequence AS last_sequence
    FROM {{.Name "gap"}} AS g
    WHERE g.from_time IS NULL OR {{.AsOf "g.from_time"}}
)
ORDER BY org, sidecar, instance, sequence, place, from_time, to_time, why
{{end}}
