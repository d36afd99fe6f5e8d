// Package catalogue finds the configured tables in a Postgres server's own catalogue, so that the columns of a
// result, which the server describes by numbers, are known for what they are.
//
// Promise: a column of a configured table, or of one of its partitions, is recognised in every result whose table the
// server had at the last refresh, and in results of tables that it has seen for the first time. A table that takes a
// configured name by a rename is recognised at the next refresh. What cannot be asked is an error, never a guess.
package catalogue
