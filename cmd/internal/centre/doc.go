// Package centre runs a whole centre on one machine: the hub, ClickHouse, its tables, and in `rolltrace up`
// the consumer too. `rolltrace up` and `rolltrace demo` share it, so that what one leaves the other opens.
//
// Promise: one process at a time has a data folder. Everything that Start started, Stop has ended when it
// returns. While a centre runs, centre.json in its folder (mode 0600: it holds passwords) says where it
// is, so that the questions find it.
package centre
