CREATE MATERIALIZED VIEW IF NOT EXISTS {{table "derived_to_derived_by_bucket"}}
TO {{name "derived_by_bucket"}} {{definer}}
AS SELECT movement, form, generation, space, bucket, electors FROM {{name "derived"}} WHERE form = 'S'
