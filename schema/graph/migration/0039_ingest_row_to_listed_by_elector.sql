CREATE MATERIALIZED VIEW IF NOT EXISTS {{table "ingest_row_to_listed_by_elector"}}
TO {{name "listed_by_elector"}} {{definer}}
AS SELECT bitShiftLeft(toUInt64(bitShiftRight(number, 16)), 17) + 1 + bitAnd(number, 65535) AS slot, movement, space
FROM {{name "ingest_row"}}
