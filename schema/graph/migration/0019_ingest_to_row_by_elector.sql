CREATE MATERIALIZED VIEW IF NOT EXISTS {{table "ingest_to_row_by_elector"}}
TO {{name "row_by_elector"}} {{definer}}
AS SELECT movement, space, number FROM {{name "ingest_row"}}
