// Package statement reads SQL with Postgres' own grammar: which tables and views a statement reads, which columns of its
// result are columns of theirs, what it copies, what it changes and for what purpose the client says that it is.
//
// Promise: a statement that cannot be read is said to be unknown, never taken for one that reads nothing. What can be
// traced is traced through subselects, common table expressions, joins, set operations and casts that keep the text;
// of everything else that reads a configured table the caller learns that it does.
//
// The grammar is libpg_query's, compiled to WebAssembly: no C compiler is needed, the first statement takes a moment (the
// module is compiled in memory), and every shape of a statement is parsed once: texts that differ in their constants
// alone share one analysis.
package statement
