// Package pseudonym turns identifiers into elector keys: normalised by the rules of their id space,
// then through a pseudorandom function (AES-CMAC, NIST SP 800-38B) under a secret that stays with the
// sidecar, then cut to 64 bits. docs/pseudonym.md has the derivation in full, with test vectors.
//
// Promise: without the secret a key tells nothing of its identifier, and a key of one id space or secret
// tells nothing of a key of another. The same identifier, written in any of the ways that its id space
// takes for equal, gives the same key on every machine and in every version: a rule that has to change
// gets an id space of its own. No identifier and no secret is ever in an error, a log, or a printed value.
package pseudonym
