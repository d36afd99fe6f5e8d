INSERT INTO {{name "listed_by_elector"}} (slot, movement, space, electors)
SELECT bitShiftLeft(toUInt64(bucket), 17) AS slot, movement, space, electors FROM {{name "set_by_bucket"}}
