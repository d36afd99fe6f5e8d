// Package oracle says what a history of movements means: design, section 3.1, word by word, with maps and
// sorted slices and no care for speed. It also makes random histories, and makes those that fail smaller.
//
// Promise: nothing here is shared with what it judges. A Model reads the decoded messages of the log and
// nothing else; it knows no numbers, no bitmaps, no SQL and no order of arrival. Tests compare its answers with
// those of package graph, which have come through a real log, a real consumer and a real ClickHouse.
package oracle
