// Package pgtap is a proxy in front of a Postgres server that records which electors' rows leave it, to whom, and for
// what. Clients and servers speak to it as to each other: it forwards their bytes, reads the messages' headers as they go
// by, and looks closer only at the rows of configured tables.
//
// Promise: recorded ⊇ released. No byte of a row of a configured table goes to the client before the keys of its
// identifiers are durable in the outbox; what comes from such a table without an identifier is counted, and what cannot
// be told is recorded as opaque. (Of a row longer than 512 KiB, bytes before its identifier may go first; it is never
// complete at the client before its keys are durable.) What is recorded of a movement is more than what left, never less. Where the tap loses
// track of a connection it ends it: it does not guess.
//
// Everything else is as without it: messages are forwarded unchanged, in their order, of any length, with bounded memory.
// The one message that it adds is a Describe before an Execute whose portal nobody has described, and its answer
// goes to nobody.
//
// What can be lost: nothing that was let go. When the outbox does not take what has to be recorded, the result ends with
// an error of SQLSTATE class 53.
//
// # Parts
//
// A session has two goroutines: front reads the client's messages, and pushes what asks for an answer on a tracker; back
// reads the server's, finds in the tracker what they answer, and reads the rows. A small result, one that is complete
// within some hundred kilobytes and some milliseconds, goes into the open window of its flow (ledger): one movement for
// all such results between the same places for a while. A larger one (export) is a movement of its own: while the
// keys of some rows are synced, the next rows are read.
//
// Which columns are electors' the Catalogue says, and what a statement does the Analyst.
package pgtap
