CREATE MATERIALIZED VIEW IF NOT EXISTS {{table "ingest_to_listed"}}
TO {{name "listed"}} {{definer}}
AS SELECT
    movement,
    space,
    bucket,
    bitmapBuild(arrayFlatten(arrayMap(
        (first, length) -> range(first, toUInt32(first + length)),
        reinterpret(starts, 'Array(UInt32)'),
        reinterpret(lengths, 'Array(UInt32)')))) AS electors
FROM {{name "ingest"}}
