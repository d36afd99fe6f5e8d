// Package status serves metrics and health over HTTP.
//
// Promise: on loopback only, because who answers there asks nobody for a password; what is listened on is closed when
// Serve returns; a port that is in use is one clear error.
package status
