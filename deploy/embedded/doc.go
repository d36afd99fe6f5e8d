// Package embedded runs a centre's two servers on one machine without containers or accounts: NATS with
// JetStream inside this process, and ClickHouse in a supervised process of its own.
//
// Promise: what either server has acknowledged is on disk (JetStream syncs always; every MergeTree table
// syncs its inserts and merges) and is there again after kill -9 of the server, of this process, or of
// both. ClickHouse is restarted on the same ports when it dies, and never outlives this process (a
// `clickhouse` of the PATH may, off Linux, where there is no death signal). One
// process at a time owns a data folder. Servers listen on loopback unless they have TLS and credentials;
// nothing is sent anywhere, and the one download (the ClickHouse library, through npm) is checked against
// a pinned SHA-512 before a byte of it is used.
//
// Every binary and test binary that starts ClickHouse calls [Child] first: the engine's process is the
// same binary again.
package embedded
