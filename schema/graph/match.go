package graph

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/RoaringBitmap/roaring/v2"

	"github.com/rolltrace/rolltrace/schema"
)

// A MatchQuestion asks which of the recorded copies a found list can have come from.
type MatchQuestion struct {
	IDSpace schema.IDSpace // of the identifiers of the list
	KeyID   schema.KeyID   // of the secret under which Keys were made
	// Keys are the elector keys of the list, in batches of at most MatchBatch, the whole in rising order and each once.
	// Its error ends the question.
	Keys iter.Seq2[[]schema.Key, error]
	// Records and Unkeyed are rows of the list, and those without an identifier: the answer repeats them.
	Records, Unkeyed uint64
	AsOf             schema.Time // zero: all that is known
	Limit            int         // most copies listed. 0: DefaultMatches; negative: all
}

const (
	// MatchBatch is how many elector keys are looked up at a time. Of a list of everybody they are a good part of each granule of keys that
	// is read for them: with 65,536, twelve electors were read for each.
	MatchBatch = 1 << 20
	// DefaultMatches is how many copies are listed when no limit is asked for.
	DefaultMatches = 20
)

// ErrUnknownKeys says that nothing was recorded of identifiers of this kind under this secret.
var ErrUnknownKeys = errors.New("no movement carried identifiers of this id space under this key file; check both")

// A Match is the answer to a MatchQuestion.
type Match struct {
	Answer
	Found      Found       `json:"found"`
	Seedings   []Seeding   `json:"seedings"`   // movements that put seeds into a copy which are in the list, by how many; in order
	Considered int         `json:"considered"` // copies that have some of the list
	Copies     []MatchCopy `json:"copies"`     // the most likely first
}

// Found is what is known of the found list as such.
type Found struct {
	IDSpace  schema.IDSpace `json:"id_space"`
	KeyID    schema.KeyID   `json:"key_id"`
	Records  uint64         `json:"records"`  // rows
	Unkeyed  uint64         `json:"unkeyed"`  // of these, rows without an identifier
	Keys     uint64         `json:"keys"`     // different identifiers
	Seeds    uint64         `json:"seeds"`    // of these, seeds: entries that were invented for one copy
	Known    uint64         `json:"known"`    // of these, on a recorded movement
	Unknown  uint64         `json:"unknown"`  // of these, on none
	Recorded uint64         `json:"recorded"` // all electors of this id space and secret that are on recorded movements
}

// A Seeding is a movement that put seeds into the copy which it brought somewhere. If some are in a list, the list came
// from that copy, or from one that was made of it.
type Seeding struct {
	MovementRef
	OccurredAt schema.Time  `json:"occurred_at"`
	ToOrg      string       `json:"to_org"`
	Place      schema.Place `json:"place"` // where the copy went
	Seeds      uint64       `json:"seeds"` // that it put in
	Found      uint64       `json:"found"` // of these, in the list
}

// What a MatchCopy is.
const (
	CopyMovement = "movement" // what one movement brought to a place
	CopyHolding  = "holding"  // what a place holds, where that is more, or other, than one movement brought
)

// A MatchCopy is a copy that the found list can have come from.
type MatchCopy struct {
	What     string       `json:"what"` // CopyMovement or CopyHolding
	Org      string       `json:"org"`
	Place    schema.Place `json:"place"`
	Since    schema.Time  `json:"since"`    // when the first movement that brought some of the list began
	Electors uint64       `json:"electors"` // in the copy
	Matched  uint64       `json:"matched"`  // of these, in the found list
	Held     uint64       `json:"held"`     // of those that matched, still held at the place

	Seeds      uint64 `json:"seeds"`       // that the copy has, whoever put them in
	SeedsFound uint64 `json:"seeds_found"` // of these, in the found list

	ShareOfFound float64 `json:"share_of_found"` // Matched, as a part of the different identifiers of the list that are no seeds
	ShareOfCopy  float64 `json:"share_of_copy"`  // Matched, as a part of Electors

	Evidence float64 `json:"evidence_bits"` // how much better it explains the list than chance does; see evidence
	Chance   float64 `json:"chance_log10"`  // logarithm of the probability that a list drawn by chance has as many; see chance

	Tied           bool   `json:"tied"`             // ranks as high as the first of the copies
	OnlyFirst      uint64 `json:"only_first"`       // electors of the first of the copies that are not in this one
	OnlyFirstFound uint64 `json:"only_first_found"` // of these, in the found list: they speak for the first
	OnlyHere       uint64 `json:"only_here"`        // electors of this copy that are not in the first
	OnlyHereFound  uint64 `json:"only_here_found"`  // of these, in the found list: they speak for this one

	// Route is how some of the list came there, the earliest way: by the movement of this copy, or, into a holding, the first
	// that brought some, and before each movement by the earliest that brought some of the same electors.
	Route         []Step `json:"route"`
	RouteElectors uint64 `json:"route_electors"` // of those that matched, how many came all this way
}

// Match ranks the recorded copies by how well they explain a found list: what movements brought to places, and what
// places hold. Those that have seeds of the list come first: they are what it was made from. Its memory does not grow with the list, but for a bit or so for each elector.
//
// It is answered from what movements carried, so a copy may have been there and be destroyed since (Held).
func (g *Graph) Match(ctx context.Context, q MatchQuestion) (*Match, error) {
	notes := g.newNotes(ctx, q.AsOf)
	defer notes.close()
	spaces, err := g.spaces(ctx)
	if err != nil {
		return nil, err
	}
	a := &Match{Found: Found{IDSpace: q.IDSpace, KeyID: q.KeyID, Records: q.Records, Unkeyed: q.Unkeyed}, Seedings: []Seeding{}, Copies: []MatchCopy{}}
	space, ok := spaceOf(spaces, q.IDSpace, q.KeyID)
	if !ok {
		return nil, ErrUnknownKeys
	}
	found, err := g.foundNumbers(ctx, space, q.Keys, &a.Found)
	if err != nil {
		return nil, err
	}
	if notes.moves, err = g.moves(ctx, q.AsOf); err != nil {
		return nil, err
	}
	m := newMatching(notes.moves, space, found)
	if err := m.read(ctx, g); err != nil {
		return nil, err
	}
	a.Found.Known, a.Found.Recorded = m.known, m.recorded
	a.Found.Seeds = m.seedsFound.GetCardinality()
	a.Found.Unknown = a.Found.Keys - a.Found.Seeds - m.known
	if a.Seedings, err = m.seedings(ctx, g); err != nil {
		return nil, err
	}
	candidates := m.rank(a.Found)
	a.Considered = len(candidates)
	limit := DefaultMatches
	if q.Limit != 0 {
		limit = bound(q.Limit)
	}
	if len(candidates) > limit {
		candidates = candidates[:limit]
		notes.cut(limit, "copies")
	}
	if a.Copies, err = m.copies(ctx, g, a.Found, candidates); err != nil {
		return nil, err
	}
	if len(candidates) == 0 {
		notes.none("copies that have any of it")
	}
	listed := map[string]bool{}
	for _, c := range a.Copies {
		listed[string(c.Place)] = true
	}
	a.Answer, err = notes.answer(only(func(row CoverageRow) bool {
		// Any movement into anywhere can have been the copy; what was destroyed only matters where it is listed.
		return row.Kind != schema.Destroy || slices.ContainsFunc(row.Inputs, func(p string) bool { return listed[p] })
	}))
	return a, err
}

// spaceOf is the number of an id space under a secret.
func spaceOf(spaces map[uint16]Count, idSpace schema.IDSpace, keyID schema.KeyID) (uint16, bool) {
	for space, is := range spaces {
		if is.IDSpace == idSpace && is.KeyID == keyID {
			return space, true
		}
	}
	return 0, false
}

// foundNumbers looks up the numbers of a list's electors, batch by batch.
func (g *Graph) foundNumbers(ctx context.Context, space uint16, batches iter.Seq2[[]schema.Key, error], f *Found) (*roaring.Bitmap, error) {
	var known uint64
	if err := g.conn.QueryRow(ctx, "SELECT count() FROM internal_number").Scan(&known); err != nil {
		return nil, fmt.Errorf("count electors: %w", explain(err))
	}
	found := roaring.New()
	for keys, err := range batches {
		if err != nil {
			return nil, err
		}
		if len(keys) == 0 {
			continue
		}
		f.Keys += uint64(len(keys))
		look, most := g.lookUp, askedAtOnce
		if among := float64(known) * float64(keys[len(keys)-1]-keys[0]) / (1 << 64); among < lookThrough*float64(len(keys)) {
			look, most = g.lookThrough, MatchBatch
		}
		for part := range slices.Chunk(keys, most) {
			if err := look(ctx, space, part, found); err != nil {
				return nil, err
			}
		}
	}
	found.RunOptimize()
	return found, nil
}

// askedAtOnce is how many keys one question names.
const askedAtOnce = 1 << 16

// lookThrough is how many electors are read for each key that is looked for, rather than asking for just these.
const lookThrough = 16

// inRange is the condition that a key is between two. Keys lie in order within each bucket, so that these are a few
// granules of each.
func inRange(space uint16, keys []schema.Key) string {
	return fmt.Sprintf("space = %d AND key BETWEEN %d AND %d", space, uint64(keys[0]), uint64(keys[len(keys)-1]))
}

// lookUp asks for the numbers of keys.
func (g *Graph) lookUp(ctx context.Context, space uint16, keys []schema.Key, found *roaring.Bitmap) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters{"keys": fmt.Sprintf("%x", littleEndianKeys(keys))}))
	return g.ask(ctx, "look up the electors of the list", func(rows driver.Rows) error {
		var count uint64
		var text []byte
		if err := rows.Scan(&count, &text); err != nil {
			return err
		}
		found.AddMany(sortedNumbers(int(count), text))
		return nil
	}, "SELECT count(), reinterpret(groupArray(number), 'String') FROM internal_number WHERE "+inRange(space, keys)+
		" AND key IN (SELECT arrayJoin(reinterpret(unhex({keys:String}), 'Array(UInt64)')))")
}

// lookThrough reads all electors between the first and the last of keys, and picks theirs.
func (g *Graph) lookThrough(ctx context.Context, space uint16, keys []schema.Key, found *roaring.Bitmap) error {
	return g.ask(ctx, "look up the electors of the list", func(rows driver.Rows) error {
		var count uint64
		var block ElectorBlock
		var numbers, at []byte
		if err := rows.Scan(&count, &numbers, &at); err != nil {
			return err
		}
		block.fill(int(count), numbers, at)
		for i, key := range block.Keys {
			if _, ok := slices.BinarySearch(keys, key); ok {
				found.Add(block.Numbers[i])
			}
		}
		return nil
	}, "SELECT count(), reinterpret(groupArray(number), 'String'), reinterpret(groupArray(key), 'String') FROM internal_number WHERE "+inRange(space, keys))
}

func littleEndianKeys(keys []schema.Key) []byte {
	out := make([]byte, 0, 8*len(keys))
	for _, k := range keys {
		out = append(out, byte(k), byte(k>>8), byte(k>>16), byte(k>>24), byte(k>>32), byte(k>>40), byte(k>>48), byte(k>>56))
	}
	return out
}
