CREATE MATERIALIZED VIEW IF NOT EXISTS {{table "ingest_row_to_listed"}}
TO {{name "listed"}} {{definer}}
AS SELECT movement, space, toUInt16(65535) AS bucket, cityHash64(numbers) AS digest, arraySort(groupUniqArray(number)) AS numbers
FROM {{name "ingest_row"}}
GROUP BY movement, space
