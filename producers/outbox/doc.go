// Package outbox is the sidecar's durable local queue: JetStream inside this process (file store, sync
// always, no listener), held by one process at a time.
//
// Promise: what a receipt acknowledged is on the disk, and stays there until the hub has acknowledged it.
// Every message has a place in the chain of the outbox's instance; no place is given twice with different
// contents, across restarts, full disks and damaged stores: where that cannot be known, a new instance
// begins. What a damaged store has lost is noticed, at opening or when it is read, and recorded as a gap.
// The clock never goes backwards. kill -9 at any moment loses nothing that was acknowledged.
//
// # Full
//
// Data is taken while the store is below max_bytes and the disk has room. Closings and gaps may use
// a reserve beyond that: room in the stream, and on the disk a file that is given up when it is needed and
// made again when there is room. With on_full: block, data waits, and after the time-out is refused with
// ErrFull. With on_full: pass it is let go at once, and what went by is recorded as a gap.
//
// # Damage
//
// A sequence that does not come when the store is read becomes a gap, as soon as the store has been started
// anew and still has not got it. An end of the store that is missing at opening becomes a gap and begins a
// new instance; so does a state file that is gone or damaged, because then nothing says where the end was. A
// segment whose settings are damaged is lost as a whole, and its number is not used again.
//
// What can be lost: messages that no receipt has acknowledged; in on_full: pass, the count of what went by
// in the last second before a kill; and how many messages were lost at the very end of the store, if the
// disk lost them together with the state file beside it.
//
// # Left open
//
// The store gives up what the hub has; so each segment begins with what is known of the movements that are open, and
// the next holder can close with true totals what its writer never will (Unclosed, Fail). Who is gone is for the holder to know.
//
// # In the folder
//
//	lock        held (flock) by whoever has the outbox open
//	jetstream/  the store: a row of streams, the segments. Their messages are frames: all that was
//	            appended while the disk was busy goes into one, so that one sync serves it; see frame.go
//	head        the instance, the end of its chain, the clock, and how far the hub has acknowledged
//	awake       a block that is read to keep the disk awake, where that records more; see awake.go
//	reserve     room for closings on a full disk
//	writing/    locks of the processes that have movements open through the sidecar which holds the outbox
//	beside/     outboxes of processes that found this one locked; run adopts them
//
// Nothing is removed from the store but on the forwarder's word, and then a segment at a time: streams with
// limits and DiscardNew rather than a work queue. A work queue syncs a deletion record for each message, and
// needs room on a full disk to make room; a stream is deleted without writing anything. The last frame is
// never removed before a later one is there: the chain is continued from it. So up to a segment (a sixteenth
// of max_bytes, at most 64 MiB) of what the hub has already may stay on the disk.
package outbox
