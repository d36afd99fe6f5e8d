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
	// Read says what a statement does with configured tables. It is asked for every result and answers from memory, like
	// Trace.
	Read(ctx context.Context, session Session, query any) (*Reading, error)
	// Returnable names the columns of a target with its identifiers, quoted and with what the statement calls it before them.
	// It says false unless the session's user may read them, and nothing but the table itself says which rows they are: no
	// rule, no policy, no view.
	Returnable(ctx context.Context, session Session, target *Target) (columns []string, ok bool, err error)
	// Function says what a function, of an OID, may read of configured tables.
	Function(ctx context.Context, database string, oid uint32) ([]schema.Place, error)
	// Places are all that a database's configured tables are: what an opaque result may have been made of.
	Places(database string) []schema.Place
	// Changed says that a client has changed tables, views or functions of the database: what is known is asked for anew.
	Changed(database string)
	// Generation changes whenever an answer of Trace may have changed.
	Generation() uint64
}

// A Session is what the names in a statement depend on.
type Session struct {
	Database, User string
	// Path is its search_path, as SET has it; "" while it is the server's own.
	Path string
}

// An Analyst reads statements.
type Analyst interface {
	// Analyse says what a statement, or the statements of a Query message, do, as far as the tap has to know before the
	// server answers; nil if there is nothing to know. It is called for every Query and Parse message: it remembers what
	// it has seen, and does not parse once an execution. The text is the caller's again when it returns.
	Analyse(text []byte) *Statement
	// Extend puts a clause at the end of statements of a text, by their number, and returns the new text, with where in the
	// old one, in characters, each was put. It says false when it cannot tell where the statements end.
	Extend(text []byte, clauses map[int]string) (extended []byte, edits []Edit, ok bool)
}

// An Edit is something that was put into a statement's text: behind so many characters of what was sent, so many.
type Edit struct{ At, Length int }

// A Statement is what an Analyst has found out about a text.
type Statement struct {
	// Text is the statement with its constants removed, for the evidence of a movement: at most schema.MaxText bytes.
	Text string
	// Parts are what its statements do, in order: one for each, so that the n-th result is the n-th part's.
	Parts []Part
	// Tags are those of sqlcommenter comments: TagPurpose, TagAgreement, TagDestination.
	Tags map[string]string
}

// A Part is one statement of a text.
type Part struct {
	// Query is what the Analyst made of the statement, for Catalogue.Read; nil if it neither reads nor changes tables.
	Query any
	// Nameless says that it names no table and no function: whatever they stand for, it is the same.
	Nameless bool
	// Unknown says that the statement cannot be read: what its result is made of is not known.
	Unknown bool
	// Reads says that it does nothing but read: undone or not, the database is the same.
	Reads bool
	// Alters says that names may stand for something else after it, and Becomes that the session may be another user's.
	Alters, Becomes bool
	// Makes is the name of a table that it makes.
	Makes string
	// Changes says that it changes rows, and can be made to return them.
	Changes bool
	// Copy is not nil for COPY … TO STDOUT and COPY … FROM STDIN.
	Copy *Copy
	// Set are the settings that it changes, in order.
	Set []Setting
	// Turn is what it does to the transaction, and Savepoint the name that it does it with.
	Turn      Turn
	Savepoint string
	Commits   bool
	// Define is a name that the session can use Body by afterwards: a cursor's or a prepared statement's.
	Define string
	Body   *Part
	// Use is such a name: the statement's rows are that Body's.
	Use string
}

// A Setting is one that a statement changes: the tap's own (TagPurpose, TagAgreement, TagDestination), or search_path.
type Setting struct {
	Name  string // "" for all of them
	Value string
	Local bool // until the transaction ends
	Reset bool // to what the session began with
}

// A Turn is what a statement does to the transaction.
type Turn uint8

// The turns; 0 is none.
const (
	TurnBegin Turn = iota + 1
	TurnEnd        // COMMIT or ROLLBACK: what it was the server's answer says
	TurnSavepoint
	TurnBack // to a savepoint
	TurnRelease
)

// A Reading is what a statement does with configured tables, names resolved. It is not changed.
type Reading struct {
	// Origins are where the columns of the result come from, and Types their types; a Gap at or above 0 says that any number
	// of columns of other tables are before the one of that number. Vague says that columns cannot be told apart.
	Origins []Origin
	Types   []uint32
	Gap     int
	Vague   bool
	// Reads are all places that the result may be made of, and Also those that a traced column may come from besides.
	Reads []schema.Place
	Also  []schema.Place
	// Opaque says that rows are not one for one: how many electors they tell of is not known. Carries says that besides its
	// identifiers a row may have values of other electors.
	Opaque, Carries bool
	// Deeds are what it does besides returning rows.
	Deeds []Deed
}

// A Deed is what a statement does to places.
type Deed struct {
	Verb   Verb
	From   []schema.Place // where rows are taken from; none for Enter
	To     schema.Place   // where they go; "" for Destroy, Empty and Unload
	Fields []string       // categories of the fields that go, sorted
	// Nested says that the server does not tell how many rows they are.
	Nested bool
	// Whole says that it is everything that From holds.
	Whole bool
	// OnServer says that the rows come from a file or a program on the server.
	OnServer bool
	// Target tells which electors they are; nil if that cannot be told.
	Target *Target
}

// A Target is a table whose rows a deed has changed or made, and how its electors can be told.
type Target struct {
	Schema, Name string // as the statement has them
	Alias        string // what the statement calls it
	IDs          []TargetID
	// Returns says that the statement can be made to return them; else the table can be asked afterwards.
	Returns bool
}

// A TargetID is a column with identifiers: of a name, or, if that is "", of a position among the table's, from 0.
type TargetID struct {
	Column   string
	Position int
	Space    schema.IDSpace
}

// A Verb is a kind of deed.
type Verb uint8

// The verbs.
const (
	Enter     Verb = iota + 1 // rows come from the client
	Duplicate                 // rows go from configured tables to another table
	Destroy                   // rows are deleted
	Empty                     // all rows are deleted
	Unload                    // rows go to a file or a program on the server
)

// A Copy is how the rows of a COPY are written.
type Copy struct {
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
	// Entry is the kind of movement of rows that come in from there: collect or merge. Defaults to collect.
	Entry schema.Kind
}
