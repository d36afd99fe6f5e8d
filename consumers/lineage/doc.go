// Package lineage derives what is not listed: which electors a whole movement carried (everything that its
// inputs held just before it), and what places held just after each destroy. It follows the graph's position:
// whenever a batch of the log has been written, it looks which movements came or changed, works out on the
// graph of movements and places (no sets of electors are held here) which derived sets that can affect, and has
// ClickHouse derive those again, in the order of time.
//
// Promise: everything that is published is a function of the log up to the position that is stored after it. All
// that follows from one stretch of the log counts from one moment on: until then readers see the generation before. It
// may be killed at any moment, and may run twice at once: what was not published does not count, and is derived
// again under another generation.
//
// What can be late: everything. While ClickHouse is away it tries again for ever; answers say how far
// derivations are behind.
package lineage
