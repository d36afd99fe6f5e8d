// Package outbox is the sidecar's durable local queue: JetStream inside this process (file store, sync
// always, no listener), held by one process at a time.
//
// Promise: what a receipt acknowledged is on the disk, and stays there until the hub has acknowledged it.
// Every message has a place in the chain of the outbox's instance; no place is given twice with different
// contents, across restarts, full disks and damaged stores: where that cannot be known, a new instance
// begins. What a damaged store has lost is noticed, at opening or when it is read, and recorded as a gap.
// The clock never goes backwards. kill -9 at any moment loses nothing that was acknowledged.
//
// Full. Data is taken while the store is below max_bytes and the disk has room. Closings and gaps may use
// a reserve beyond that: room in the stream, and on the disk a file that is given up when it is needed and
// made again when there is room. With on_full: block, data waits, and after the time-out is refused with
// ErrFull. With on_full: pass it is let go at once, and what went by is recorded as a gap.
//
// What can be lost: messages that no receipt has acknowledged; in on_full: pass, the count of what went by
// in the last second before a kill; and that messages at the very end of the store were lost, if the disk
// lost them together with the state file beside it.
//
// # In the folder
//
//	lock        held (flock) by whoever has the outbox open
//	jetstream/  the store. Its messages are frames: all that was appended while the disk was busy goes
//	            into one message, so that one sync serves it; see frame.go
//	head        the instance, the end of its chain, the clock, and how far the hub has acknowledged
//	reserve     room for closings on a full disk
//	beside/     outboxes of processes that found this one locked; run adopts them
//
// Nothing is removed from the store but by the forwarder's word, and never its last frame: the chain is
// continued from it. So retention is by limits with DiscardNew, not a work queue: a work queue syncs a
// deletion record for each message, where giving up a whole prefix at a time costs one sync for thousands.
package outbox
