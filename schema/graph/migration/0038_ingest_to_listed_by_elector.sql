CREATE MATERIALIZED VIEW IF NOT EXISTS {{table "ingest_to_listed_by_elector"}}
TO {{name "listed_by_elector"}} {{definer}}
AS SELECT
    bitShiftLeft(toUInt64(bucket), 17) AS slot,
    movement,
    space,
    bitmapBuild(arrayFlatten(arrayMap(
        (first, length) -> range(first, toUInt32(first + length)),
        reinterpret(starts, 'Array(UInt32)'),
        reinterpret(lengths, 'Array(UInt32)')))) AS electors
FROM {{name "ingest"}}
