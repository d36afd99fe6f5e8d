package graph

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/registry"
)

// A Registry is one version of the centre's registry, as it was received.
type Registry struct {
	Hash           [32]byte // of the message
	Version        uint64   // its sequence in its instance: 1, 2, 3 …
	Instance       string
	AppliedAt      schema.Time
	ValidFrom      schema.Time
	By, Why        string
	Content        []byte // normal form
	StreamSequence uint64
	ReceivedAt     schema.Time
}

// A Ruling is what somebody decided about a finding, as it was received.
type Ruling struct {
	Hash           [32]byte // of the message
	Finding        string
	At             schema.Time
	What, By, Why  string
	StreamSequence uint64
	ReceivedAt     schema.Time
}

func registries(items []Registry) insert {
	return insert{"registry", "hash, version, instance, applied_at, valid_from, by, why, content, stream_sequence, received_at", len(items),
		each(items, func(r Registry) []any {
			return []any{r.Hash[:], r.Version, r.Instance, moment(r.AppliedAt), moment(r.ValidFrom), r.By, r.Why, string(r.Content), r.StreamSequence, moment(r.ReceivedAt)}
		})}
}

func rulings(items []Ruling) insert {
	return insert{"ruling", "finding, at, hash, ruling, by, why, stream_sequence, received_at", len(items), each(items, func(r Ruling) []any {
		return []any{r.Finding, moment(r.At), r.Hash[:], r.What, r.By, r.Why, r.StreamSequence, moment(r.ReceivedAt)}
	})}
}

// registryVersions reads every version of the registry.
func registryVersions(ctx context.Context, conn driver.Conn) ([]registry.Version, error) {
	var versions []registry.Version
	err := query(ctx, conn, "read the registry", func(rows driver.Rows) error {
		var v registry.Version
		var hash, content string
		if err := rows.Scan(&hash, &v.AppliedAt.Time, &v.ValidFrom.Time, &content); err != nil {
			return err
		}
		copy(v.Hash[:], hash)
		v.AppliedAt, v.ValidFrom = at(v.AppliedAt.Time), at(v.ValidFrom.Time)
		var err error
		v.Registry, err = registry.Parse([]byte(content))
		versions = append(versions, v)
		return err
	}, `SELECT hash, any(applied_at), any(valid_from), any(content) FROM internal_registry GROUP BY hash`)
	return versions, err
}
