ALTER TABLE {{table "movement_revision"}} ADD INDEX IF NOT EXISTS by_sequence stream_sequence TYPE minmax GRANULARITY 1
