package graph

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// DefaultDatabase is the database that a DSN without one means.
const DefaultDatabase = "rolltrace"

// Open returns a pool of connections to the ClickHouse at dsn
// ("clickhouse://user:password@host:9000/rolltrace"; options as clickhouse-go reads them, and LZ4 on the
// wire unless it says otherwise). It does not connect: the first use does, and returns what is wrong.
// Errors never show the DSN, which may hold a password.
func Open(dsn string) (driver.Conn, error) {
	opts, err := options(dsn)
	if err != nil {
		return nil, err
	}
	conn, err := clickhouse.Open(opts)
	if err != nil {
		return nil, fmt.Errorf("open ClickHouse: %w", err)
	}
	return conn, nil
}

func options(dsn string) (*clickhouse.Options, error) {
	opts, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		var broken *url.Error // its text is the whole DSN
		if errors.As(err, &broken) {
			err = broken.Err
		}
		return nil, fmt.Errorf("read the ClickHouse DSN: %w: want clickhouse://user:password@host:port/database", err)
	}
	if scheme, _, _ := strings.Cut(dsn, "://"); !slices.Contains([]string{"clickhouse", "tcp", "native", "http", "https"}, scheme) {
		return nil, errors.New("read the ClickHouse DSN: want clickhouse://user:password@host:port/database")
	}
	if opts.Auth.Database == "" {
		opts.Auth.Database = DefaultDatabase
	}
	if opts.Compression == nil {
		opts.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
	}
	if opts.DialTimeout == 0 {
		opts.DialTimeout = 10 * time.Second
	}
	if opts.MaxOpenConns == 0 {
		opts.MaxOpenConns = 12 // one for each table of a batch
		opts.MaxIdleConns = 12
	}
	return opts, nil
}

// code returns the number of the ClickHouse exception in err, or 0.
func code(err error) int32 {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		return exception.Code
	}
	return 0
}

// The exceptions of ClickHouse that are told apart here.
const (
	codeUnknownTable     = 60
	codeUnknownDatabase  = 81
	codeSameQueryRunning = 216
	codeAccessDenied     = 497

	codeAuthenticationFailed = 516
)

// ErrNoSchema says that the database, or a table in it, does not exist: nobody has migrated it.
var ErrNoSchema = errors.New("the database has no Rolltrace tables: run rolltrace migrate")

// CheckOwner says what is wrong with the DSN of a user who is to make the tables. It makes nothing.
func CheckOwner(ctx context.Context, dsn string) error {
	opts, err := options(dsn)
	if err != nil {
		return err
	}
	database := opts.Auth.Database
	opts.Auth.Database = "" // it may not be there yet
	conn, err := clickhouse.Open(opts)
	if err != nil {
		return fmt.Errorf("open ClickHouse: %w", err)
	}
	defer func() { _ = conn.Close() }()
	var granted uint8
	if err := conn.QueryRow(ctx, "CHECK GRANT CREATE TABLE ON `"+strings.ReplaceAll(database, "`", "``")+"`.*").Scan(&granted); err != nil {
		return explain(err)
	}
	if granted == 0 {
		return fmt.Errorf("%w: in database %s, for user %s", ErrNotOwner, database, opts.Auth.Username)
	}
	return nil
}

// ErrNotOwner says that the user of the DSN may not make tables.
var ErrNotOwner = errors.New("ClickHouse does not let the user of the DSN make tables")

// explain says what to do about exceptions that a user can meet, and makes the others fit for a log:
// ClickHouse quotes the query, which may name an elector.
func explain(err error) error {
	var exception *clickhouse.Exception
	if !errors.As(err, &exception) {
		return err
	}
	if exception.Code == codeUnknownTable || exception.Code == codeUnknownDatabase {
		return &refusal{text: ErrNoSchema.Error(), causes: []error{ErrNoSchema, err}}
	}
	if exception.Code == codeAuthenticationFailed {
		return &refusal{text: "ClickHouse refuses the user of the DSN: the password is wrong, or there is no such user", causes: []error{err}}
	}
	text := strings.Join(strings.Fields(exception.Message), " ")
	for _, quoted := range []string{" In scope ", " in scope ", ": While ", ": while ", "In query "} {
		text, _, _ = strings.Cut(text, quoted)
	}
	if len(text) > maxExceptionText {
		text = strings.ToValidUTF8(text[:maxExceptionText], "") + "…"
	}
	return &refusal{text: fmt.Sprintf("ClickHouse: %s (code %d)", text, exception.Code), causes: []error{err}}
}

// maxExceptionText is how many bytes of an exception's text an error shows.
const maxExceptionText = 240

// A refusal is an exception of ClickHouse, in fewer words.
type refusal struct {
	text   string
	causes []error
}

func (r *refusal) Error() string   { return r.text }
func (r *refusal) Unwrap() []error { return r.causes }

// withTimeout bounds one exchange with ClickHouse.
func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}
