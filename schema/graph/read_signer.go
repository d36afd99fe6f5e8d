package graph

import (
	"context"
	"errors"
	"iter"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// A FirstSigner is who signed the first message of a sidecar that was not rejected.
type FirstSigner struct {
	Org, Sidecar string
	Signer       string // public nkey
}

// FirstSigners yields the first signer of every sidecar that log messages up to the sequence brought, and then the
// error, if any.
func (r *Reader) FirstSigners(ctx context.Context, upTo uint64) iter.Seq2[FirstSigner, error] {
	return func(yield func(FirstSigner, error) bool) {
		stopped := errors.New("stopped")
		err := r.each(ctx, "read first signers", func(rows driver.Rows) error {
			var s FirstSigner
			if err := rows.Scan(&s.Org, &s.Sidecar, &s.Signer); err != nil {
				return err
			}
			if !yield(s, nil) {
				return stopped
			}
			return nil
		}, `SELECT org, sidecar, toString(argMin(signer, stream_sequence)) FROM message WHERE stream_sequence <= $1 GROUP BY org, sidecar`, upTo)
		if err != nil && !errors.Is(err, stopped) {
			yield(FirstSigner{}, err)
		}
	}
}
