CREATE TABLE IF NOT EXISTS {{table "ingest_row"}}
(
    movement UInt32 COMMENT 'number of the movement',
    space    UInt16 COMMENT 'id space and secret, see space',
    number   UInt32 COMMENT 'number of an elector'
)
ENGINE = Null
COMMENT 'Elector numbers too few for a bitmap on their way into the row tables'
