DROP TABLE IF EXISTS {{name "ingest_to_set_by_movement"}}, {{name "ingest_to_set_by_bucket"}}, {{name "ingest_to_row_by_movement"}}, {{name "ingest_to_row_by_elector"}},
    {{name "internal_form"}}, {{name "internal_row"}}, {{name "internal_set_by_bucket"}}, {{name "internal_derived_by_bucket"}}, {{table "internal_row_by_elector"}}
