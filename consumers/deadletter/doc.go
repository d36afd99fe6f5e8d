// Package deadletter keeps the messages that the consumer rejected, each with the reason, in the stream
// ROLLTRACE_REJECTED, and puts them back into the log once the fault is mended.
//
// Promise: Put returns after the hub has all of them on disk. What is kept can be replayed as it came: subject, headers
// and body. Replay removes a message from the stream only after the log has acknowledged it, so that one killed at any
// moment can be run again; a message that got into the log twice by that changes no answer, as no message does.
package deadletter
