package pgtap

import (
	"context"

	"github.com/rolltrace/rolltrace/schema"
)

// A Column is one column of a result, as the server describes it.
type Column struct {
	Table  uint32 // OID of the table or view that it is a column of; 0 for an expression
	Number int16  // of the column in that table
	Type   uint32 // OID of its type; of a domain's base type
	Binary bool   // its values come in binary, not as text
}

// An Origin is where the values of a result's column come from. The zero Origin is anything that was not configured.
type Origin struct {
	Place schema.Place   // of the configured table
	Space schema.IDSpace // "" unless the column is an identifier
	Field string         // field category; "" for none
}

// A Catalogue knows which tables hold electors.
type Catalogue interface {
	// Trace says where the columns of a result come from: it appends one Origin for each of them to dst. It is called
	// for every description, so what is known has to be answered from memory; what is not known it asks the server for,
	// and waits. An error means that it cannot tell: nothing of the result goes on.
	Trace(ctx context.Context, database string, columns []Column, dst []Origin) ([]Origin, error)
	// Places are all that a database's configured tables are: what an opaque result may have been made of.
	Places(database string) []schema.Place
	// Generation changes whenever an answer of Trace may have changed.
	Generation() uint64
}

// An Analyst reads statements.
type Analyst interface {
	// Analyse says what a statement, or the statements of a Query message, do, as far as the tap has to know before the
	// server answers; nil if there is nothing to know. It is called for every Query and Parse message: it remembers what
	// it has seen, and does not parse once an execution. The text is the caller's again when it returns.
	Analyse(text []byte) *Statement
}

// A Statement is what an Analyst has found out about a text.
type Statement struct {
	// Text is the statement with its constants removed, for the evidence of a movement: at most schema.MaxText bytes.
	Text string
	// Parts are what its statements do, in order: one for each, so that the n-th result is the n-th part's.
	Parts []Part
	// Tags are those of sqlcommenter comments (purpose, agreement, destination).
	Tags map[string]string
}

// A Part is one statement of a text.
type Part struct {
	// Copy is not nil for COPY … TO STDOUT and COPY … FROM STDIN.
	Copy *Copy
	// Opaque says that the rows of the result are not the rows of tables: aggregates, functions, anything that cannot be
	// told. They are counted, their number unknown, if configured tables are read.
	Opaque bool
	// Reads are places that the statement reads whatever its columns say.
	Reads []schema.Place
	// Set are the tap's own settings that it changes: SET rolltrace.purpose = '…'.
	Set map[string]string
}

// A Copy is what has to be known of a COPY to find identifiers in its rows.
type Copy struct {
	// Columns are those of the copy, in its order, and Origins where they come from.
	Columns []Column
	Origins []Origin
	// CSV says that the rows are CSV; else they are what CopyOutResponse says: text or binary.
	CSV bool
	// Header says that the first row is names.
	Header bool
	// Delimiter, Quote, Escape as the COPY has them; 0 for the format's default.
	Delimiter, Quote, Escape byte
	// Null is what stands for none; in text, unescaped.
	Null string
}

// A Keyer makes elector keys, of one id space; producers/pseudonym has one. It is used by one session at a time.
type Keyer interface {
	// Keys appends the keys of identifiers to dst, leaving out those that identify nobody.
	Keys(dst []schema.Key, identifiers [][]byte) []schema.Key
}

// A Client is whom a session's rows go to, as far as the tap can know.
type Client struct {
	User        string
	Database    string
	Application string
	Address     string            // of the client: an IP address, or "" for a Unix socket
	Tags        map[string]string // of the statement or the session: purpose, agreement, destination
}

// A Route is what the rules make of a Client.
type Route struct {
	Output     schema.Place
	Kind       schema.Kind
	Actor      string
	Purpose    string
	Agreement  string
	LegalBasis string
}
