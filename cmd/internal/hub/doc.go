// Package hub connects a program to the hub: address, TLS, credentials, and what happens when it is away.
//
// Promise: what is sent off this machine is sent over TLS, to a hub whose certificate was checked, or not
// at all; a connection that breaks comes back by itself, for as long as the program runs. Errors and logs
// name the hub's address and never a credential.
package hub
