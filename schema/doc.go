// Package schema holds the words of Rolltrace: places, elector keys and movements, and the rules that
// say which of them are well formed. Producers and consumers meet here and nowhere else.
//
// Promise: pure values and the standard library only. Validate names every fault of a movement (field,
// value, limit), never only the first, and says the same on a sidecar and at the centre. Nothing in this
// package does I/O, logs, or keeps state.
package schema
