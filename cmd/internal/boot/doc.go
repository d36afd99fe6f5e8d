// Package boot is how a Rolltrace program begins and ends.
//
// Promise: one place decides the exit code (0 done, 1 a fault, 2 wrong usage) and writes the one line on
// stderr; the context that a program gets is cancelled at the first SIGINT or SIGTERM, and the second one
// ends the process at once. os.Exit is left to main, so that tests can call the same function:
//
//	func main() { os.Exit(boot.Main("rolltrace", run)) }
package boot
