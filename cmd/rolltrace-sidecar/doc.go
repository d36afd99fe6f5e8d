// Command rolltrace-sidecar runs beside each database: it records which elector records leave, and brings
// the record to the hub.
//
//	run    holds the outbox: forwards it to the hub, says that it is alive, and lets tee and emit in
//	tee    passes a list from stdin to stdout, and records whose records were in it
//	emit   records movements that nobody saw flow: declared, attested, or long past
//
// Promise: no byte that tee puts out comes before the elector keys in it are synced to the disk, and what it
// puts out is, byte for byte, what came in. What cannot be read or recorded stops the flow. No identifier, row or
// secret is in a log, an error or a message.
package main
