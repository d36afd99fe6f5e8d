INSERT INTO {{name "listed"}} (movement, space, bucket, electors)
SELECT movement, space, bucket, electors FROM {{name "set_by_movement"}}
