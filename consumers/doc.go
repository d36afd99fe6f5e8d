// Package consumers turns the log into the lineage graph: it reads the hub's stream ROLLTRACE in order, numbers
// what it finds, and writes it to ClickHouse.
//
// Promise: everything in ClickHouse is a function of the log. The position is stored there too, after the data that
// it stands for, and nowhere else; the hub keeps no state for a consumer. So a consumer may be killed at any moment,
// may run twice at once, may start while an insert of another one is still under way: the same messages give the same
// rows, and writing them again changes no answer.
//
// Promise: no message is passed over in silence. One that cannot be understood is in the rejected stream, whole and
// with the reason, and in the table rejected, before the position passes it. A log that is not the one that the
// position belongs to, that is behind it, or that has lost messages, stops the consumer with one error that says
// what to do; and so do rows that ClickHouse refuses for good.
//
// What can be lost: nothing that the hub has acknowledged. What can be late: everything. While ClickHouse or the hub
// is away the consumer tries again for ever, and takes in no more than Config.IntakeBytes and two batches.
//
// Its leaves: numbering (dense numbers for elector keys), lineage (what is not listed is derived), deadletter (the
// rejected stream).
package consumers
