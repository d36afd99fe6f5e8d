// Package intake is the way into the outbox of a running sidecar for other processes of the same machine:
// tee and emit, while run holds the outbox. The holder listens on a loopback address (a NATS server
// without streams) and writes address and token into the outbox's folder, readable by its owner alone; a
// Client is a producers.Outbox that appends there.
//
// Promise: as with the outbox itself, a receipt says that the drafts are durable in it; any number of
// Appends may be under way, and they keep their order. What was not acknowledged is sent again when the
// holder is back, and is then perhaps recorded twice, as the same movement or chunk. When the holder stays
// away for longer than the client's time-out, the receipt says ErrBroken.
//
// A process that goes away with open movements (killed, or without closing them) leaves no movement open:
// when its connection has been gone for a while, the holder closes them as failed, with the totals of what
// is recorded of them. If the holder goes away too, the next one does: a client holds a lock for each movement that
// it has open, in the folder of the outbox, by which it can be told whether it is still there (CloseAbandoned).
package intake
