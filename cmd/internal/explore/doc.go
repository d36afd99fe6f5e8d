// Package explore serves the explorer (dashboards/explorer) beside a consumer: where it listens, who may ask, with which key
// electors are looked up.
//
// Promise: on loopback, unless it has a certificate and tokens: anything else is refused before something is served. What
// is listened on is closed when Serve returns. Tokens and keys are in no log and no error.
package explore
