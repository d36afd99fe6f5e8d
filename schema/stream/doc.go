// Package stream holds the settings of the streams at the hub, and makes them: the log, what was rejected
// from it, and the alerts. It also lists the subjects that a sidecar's NATS user needs.
//
// Promise: after Ensure returns without an error, what the log has acknowledged is on disk as far as a
// stream's settings can say (that the server syncs always is the server's setting), and nothing leaves the
// log by itself: no age, no count, no size, no header of a publisher removes a message; a log that is full
// refuses new messages, which then wait in the sidecars. Ensure changes nothing that exists: a stream whose
// settings break these promises is refused, never repaired. The log has an identity, given when it was
// made, so that whoever stored a position in it can tell this log from another under the same name.
package stream
