INSERT INTO {{name "listed"}} (movement, space, bucket, digest, numbers)
SELECT movement, space, toUInt16(65535) AS bucket, cityHash64(numbers) AS digest, arraySort(groupUniqArray(number)) AS numbers
FROM {{name "row_by_movement"}}
GROUP BY movement, space
