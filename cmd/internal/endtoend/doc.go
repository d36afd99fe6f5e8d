// Package endtoend holds the tests and the measures that need the whole house: the real programs as
// processes, a hub, a ClickHouse, and what happens when any of them is killed.
//
// Promise: nothing here is simulated. A test that passes has seen the bytes that tee put out and the answers
// that the centre gives, and compared the two.
package endtoend
