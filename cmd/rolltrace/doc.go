// Command rolltrace is the people's tool: it starts a centre on one machine (up), shows one at work (demo),
// prepares a database (migrate), makes keys (key new), and asks the questions.
//
// Promise: answers go to stdout, everything else to stderr; --json is stable; what an answer does not
// cover is said with it. An identifier that is asked about goes to no log and into no error, and to the
// centre only as its elector key.
package main
