DROP TABLE IF EXISTS {{name "set_by_movement"}}, {{name "set_by_bucket"}}, {{name "row_by_movement"}}, {{table "row_by_elector"}}
