// Package wire turns movements, chunks of elector keys, heartbeats and gaps into the bytes that travel,
// and those bytes back: the outside form of Rolltrace (docs/movement.md). It knows no server and no
// client; a Message converts to a nats.Msg field by field.
//
// Promise, to whoever publishes: what Seal returns is complete. It has been validated, carries its place
// in the chain of its instance (sequence, hash of the message before it) and the sidecar's signature, and
// Decode accepts it, in this version and in every later one.
//
// Promise, to whoever reads: what Decode returns has been checked whole. Version, headers, signature,
// subject against body, and every limit of schema.Validate; so that nothing has to be checked, or parsed,
// a second time. Everything else is a *Reject with one of a closed list of codes and a reason that holds
// no value of the message. Decode is a pure function of its arguments: the same message gives the same
// Record or the same Reject on every machine. No input makes it panic, and what it allocates is bounded
// by a small multiple of the input.
//
// Two readers of one message see the same thing: names doubled, names in another case, nulls, times in
// another form and invalid UTF-8 are rejected rather than resolved. Fields that this version does not
// know are accepted, and kept, because the body is stored as it came.
package wire
