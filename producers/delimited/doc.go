// Package delimited finds the identifiers in delimited text (CSV as RFC 4180 has it, TSV, any one-byte
// delimiter; plain, gzip or zstd) while it flows, at more than a gigabyte a second a core.
//
// A Scanner finds them in bytes that are in memory. A Reader runs one over a stream, and hands out
// Blocks: identifiers, and the bytes that may go on once those are recorded.
//
// Promise: bytes are handed out unchanged and in order, and no byte of a record before the identifiers of
// the whole record, quoted line breaks and compression included. What cannot be read without guessing is an
// error, and its bytes are never handed out: a quoted field with text after its end or without an end, a
// record of more than MaxRecord bytes, an identifier of more than MaxID, UTF-16, a compression that is not
// known. Memory is bounded whatever the input. Errors hold record numbers and, for a missing
// column, column names; never values.
package delimited
