package wire

import _ "embed"

// MovementSchema is the published JSON Schema (draft 2020-12) of a movement's body. It is never stricter
// than Decode; the rules that it cannot say are listed in docs/movement.md.
//
//go:embed movement.schema.json
var MovementSchema []byte
