// Package producers records movements where they happen, and brings them to the hub. A Recorder opens a
// movement, takes the elector keys as they flow, and closes it; everything it writes goes into an Outbox
// on the same machine; a Forwarder takes it from there to the hub.
//
// Promise: recorded ⊇ released. Begin returns only when the opening of the movement is durable (synced to
// disk) in the outbox, and Flush only when every key added before is. Whoever lets bytes go on after the
// Flush that follows their keys, and no sooner, can be killed at any moment: the record may hold a little
// more than what left, never less. Nothing that the outbox acknowledged is given up before the hub has
// acknowledged it; a message may reach the hub more than once, and is the same message each time.
//
// What can be lost: what was appended and not yet acknowledged (nobody was told that it is safe), and what
// a damaged disk loses, which becomes a recorded gap. With on_full: pass, what flows while the outbox is
// full is let go unrecorded, and the gap is recorded.
//
// The leaves are parts that a sidecar plugs together: outbox (the durable queue), intake (the way into
// another process's outbox), pseudonym (identifiers to keys), delimited (records to identifiers).
package producers
