package producers

import (
	"crypto/sha256"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A Tally counts what has been recorded of one movement, for the totals of its closing: keys, chunks and
// digest of each set. It is not safe for concurrent use. It keeps 40 bytes for each chunk.
type Tally struct {
	mode    schema.Mode
	sets    []tallySet
	records uint64
}

type tallySet struct {
	set    schema.Set
	chunks []tallyChunk
}

type tallyChunk struct {
	hash [sha256.Size]byte
	keys uint32
	lost bool
}

// NewTally returns the empty tally of a movement: its mode, and the id spaces and key ids of its sets.
func NewTally(electors schema.Electors) *Tally {
	electors = emptied(electors)
	t := &Tally{mode: electors.Mode, sets: make([]tallySet, len(electors.Sets))}
	for i, s := range electors.Sets {
		t.sets[i].set = s
	}
	return t
}

// Count adds rows that were seen, and of them, for each set, those without an id in its column.
func (t *Tally) Count(records uint64, unkeyed ...uint64) {
	t.records += records
	for i, n := range unkeyed {
		if i < len(t.sets) {
			t.sets[i].set.Unkeyed += n
		}
	}
}

// Chunk adds the next chunk of a set. It says false, and adds nothing, if there is no such set or the chunk
// is not the next one: then the tally is no longer that of the whole movement.
func (t *Tally) Chunk(c *wire.Chunk) bool {
	if int(c.Set) >= len(t.sets) {
		return false
	}
	s := &t.sets[c.Set]
	if int(c.Index) != len(s.chunks) {
		return false
	}
	s.chunks = append(s.chunks, tallyChunk{hash: c.BodyHash(), keys: uint32(len(c.Keys))})
	return true
}

// Lost says that a chunk which was added was not recorded after all.
func (t *Tally) Lost(c *wire.Chunk) {
	t.sets[c.Set].chunks[c.Index].lost = true
}

// Electors are the totals so far. Chunks lost at the end of a set are left out; one lost before others is
// counted among the chunks, so that its absence shows, but not among the keys. Records are the rows that
// were counted, and no fewer than the keys and unkeyed rows of any set.
func (t *Tally) Electors() schema.Electors {
	e := schema.Electors{Mode: t.mode, Records: t.records, Sets: make([]schema.Set, len(t.sets))}
	for i := range t.sets {
		e.Sets[i] = t.sets[i].total()
		e.Records = max(e.Records, e.Sets[i].Keys+e.Sets[i].Unkeyed)
	}
	return e
}

func (s *tallySet) total() schema.Set {
	total := s.set
	chunks := s.chunks
	for len(chunks) > 0 && chunks[len(chunks)-1].lost {
		chunks = chunks[:len(chunks)-1]
	}
	var digest wire.SetDigest
	for _, c := range chunks {
		digest.Add(c.hash)
		if !c.lost {
			total.Keys += uint64(c.keys)
		}
	}
	total.Keys = max(total.Keys, uint64(len(chunks))) // the wire asks for a key a chunk
	total.Chunks = uint32(len(chunks))
	total.Digest = digest.String()
	return total
}
