// Package schematest is what the tests of every room share: real servers, invented people's movements, and
// the rules of the house as a test.
//
// Promise: the servers are real, listen on loopback only, and are gone when the test binary is, however it
// ends. No test sees another's data: a ClickHouse server serves one test binary with a fresh database for
// each test, a NATS server serves one test. Where a server cannot be started the test fails; nothing is
// skipped. Fixtures are the same in every run and on every machine.
package schematest
