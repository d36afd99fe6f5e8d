// Package logging makes the one logger of a Rolltrace program, which is passed on by value.
//
// Promise: every line has a UTC time with microseconds; durations are numbers of milliseconds, under keys
// that say so (wait_ms); people at a terminal get the console form, everything else JSON. Nothing logs
// through a global logger. Identifiers and rows never go into a log: callers see to that, keys and places
// may.
package logging
