// Package demo plays a case with invented people through the real programs: rolltrace-sidecar and
// rolltrace-consumer as processes of their own, a hub and a ClickHouse embedded in this one, all on free
// loopback ports.
//
// A case is a folder below scenario: scenario.yaml says who is who, what is publicly known and where, what happens, and what is
// asked; recount.sh counts every number of the answers again, with sort and comm. Questions are asked by running
// `rolltrace`, as anybody can. A new case is a new folder, without a line of Go.
//
// Promise: whatever happens (an error, a signal, even kill -9 of this process on Linux), every process that
// it started ends. It waits for events, never for time to pass. Its numbers come from the questions that
// anybody can ask, and can be recounted from the files that it leaves, with sort and comm.
package demo
