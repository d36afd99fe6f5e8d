// Package deploy holds what a centre and its sidecars are run from: the settings of NATS and ClickHouse,
// the images, the systemd units, the Kubernetes manifests, and the writing of the secrets that all of them
// need and none of them contains.
//
// Promise: nothing shipped in this folder has a password, a key or a default one; a file written by
// Secrets.Write is never overwritten with another secret; and every settings file in here is started or
// loaded for real by this package's tests, with the engine that it is for.
package deploy
