CREATE TABLE IF NOT EXISTS {{table "ingest"}}
(
    movement UInt32 COMMENT 'number of the movement',
    space    UInt16 COMMENT 'id space and secret, see space',
    bucket   UInt16 COMMENT 'number >> 16',
    starts   String COMMENT 'first number of each run, little-endian UInt32s',
    lengths  String COMMENT 'length of each run, little-endian UInt32s'
)
ENGINE = Null
COMMENT 'Runs of elector numbers on their way into the bitmaps'
