ALTER TABLE {{table "movement_revision"}} ADD COLUMN IF NOT EXISTS seeds UInt64 DEFAULT 0 COMMENT 'keys announced as seeds: invented entries' CODEC(T64, ZSTD(1))
