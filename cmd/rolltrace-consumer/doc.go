// Command rolltrace-consumer brings the log of movements at the hub into the graph in ClickHouse.
//
// Promise: it may be killed at any moment and started any number of times, also at once: no message of the log is
// lost or counted twice. See package consumers.
package main
