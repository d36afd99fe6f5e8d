package graph

import (
	"errors"

	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// IsPermanent says whether the same request would fail again, however often it is made: the schema is not
// there or another one, the user may not do it, the password is wrong, the rows do not fit the columns, or
// the tables contradict themselves. Everything else (no connection, no memory, no disk, a server that is
// starting or stopping, a time-out) is worth another try.
func IsPermanent(err error) bool {
	if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNoSchema) {
		return true
	}
	var row *proto.BlockError // it wraps what went wrong on the connection too
	var value *chcolumn.ColumnConverterError
	var kind *chcolumn.UnsupportedColumnTypeError
	if errors.As(err, &row) && (row.Op == "AppendRow" || row.Op == "Encode") || errors.As(err, &value) || errors.As(err, &kind) {
		return true
	}
	return permanent[code(err)]
}

// permanent are the exceptions that a second try does not change.
var permanent = func() map[int32]bool {
	codes := make(map[int32]bool)
	for _, code := range []int32{
		6, 26, 27, 38, 41, 72, // cannot parse a value
		8, 10, 15, 16, 20, 47, // columns: not found, doubled, another number, unknown
		36, 42, 43, 44, 46, 48, 53, 62, 63, 70, // arguments, functions, types, syntax, not implemented
		codeUnknownTable, codeUnknownDatabase,
		115, 164, // unknown setting, read-only user
		117, 131, 349, 407, // rows that do not fit
		192, 193, 194, codeAccessDenied, codeAuthenticationFailed, // user, password, rights
	} {
		codes[code] = true
	}
	return codes
}()
