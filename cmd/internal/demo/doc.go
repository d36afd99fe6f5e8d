// Package demo plays a case with invented people through the real programs: rolltrace-sidecar and
// rolltrace-consumer as processes of their own, a hub and a ClickHouse embedded in this one, all on free
// loopback ports.
//
// Promise: whatever happens (an error, a signal, even kill -9 of this process on Linux), every process that
// it started ends. It waits for events, never for time to pass. Its numbers come from the questions that
// anybody can ask, and can be recounted from the files that it leaves, with sort and comm.
package demo
