INSERT INTO {{name "listed_by_elector"}} (slot, movement, space)
SELECT bitShiftLeft(toUInt64(bitShiftRight(number, 16)), 17) + 1 + bitAnd(number, 65535) AS slot, movement, space FROM {{name "row_by_elector"}}
