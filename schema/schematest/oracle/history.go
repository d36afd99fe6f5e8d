package oracle

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A History is what sidecars published, and when each message arrived. As JSON it is a test case that can be
// played again.
type History struct {
	Steps []Step `json:"steps"` // in the order in which they were published
}

// Names are the places that its movements name, and the id columns and electors of its chunks: all there can be, where it has none.
func (h History) Names() (places []schema.Place, columns []schema.Set, letters string) {
	for _, s := range h.Steps {
		if m := s.Movement; m != nil {
			for _, in := range m.Inputs {
				places = append(places, in.Place)
			}
			if m.Output != "" {
				places = append(places, m.Output)
			}
		}
		if c := s.Chunk; c != nil {
			columns = append(columns, schema.Set{IDSpace: c.IDSpace, KeyID: c.KeyID})
			letters += c.Electors
		}
	}
	if len(places) == 0 {
		places = Places
	}
	if letters == "" {
		columns, letters = Sets, Letters
	}
	return places, columns, letters
}

// A Step is one message: exactly one of Movement, Chunk, Heartbeat and Gap is set.
type Step struct {
	Sidecar   string           `json:"sidecar"` // org/sidecar
	Movement  *schema.Movement `json:"movement,omitempty"`
	Chunk     *Chunk           `json:"chunk,omitempty"`
	Heartbeat *wire.Heartbeat  `json:"heartbeat,omitempty"`
	Gap       *wire.Gap        `json:"gap,omitempty"`
	Arrives   []int            `json:"arrives"` // places in the order of arrival, one for each time; none: it is lost
}

// A Chunk is a chunk whose electors are letters.
type Chunk struct {
	Movement string         `json:"movement"`
	Set      uint16         `json:"set"`
	Index    uint32         `json:"index"`
	IDSpace  schema.IDSpace `json:"id_space"`
	KeyID    schema.KeyID   `json:"key_id"`
	Role     schema.SetRole `json:"role,omitempty"`
	Electors string         `json:"electors"`
}

// Letters are the electors of histories. A small letter is one elector; a capital is Crowd electors, so that some
// sets are stored as bitmaps and some as rows.
const (
	Letters = "abcdefGH"
	Crowd   = 20
)

// Keys are the elector keys of letters, in a history played under a prefix. The same letter has the same keys in
// every id space and under every secret.
func Keys(prefix, letters string) []schema.Key {
	var out []schema.Key
	for _, letter := range letters {
		n := 1
		if letter < 'a' {
			n = Crowd
		}
		for i := range n {
			h := fnv.New64a()
			_, _ = h.Write(binary.AppendUvarint([]byte(prefix+string(letter)), uint64(i)))
			out = append(out, schema.Key(h.Sum64()))
		}
	}
	return out
}

// Play seals the history under a prefix of all its organisations, so that many histories can share one log, and
// returns its messages in the order of arrival. A message that arrives again has no message id, so that the log
// keeps it twice.
func (h History) Play(prefix string) ([]wire.Message, error) {
	type arrival struct {
		at      int
		message wire.Message
	}
	var arrivals []arrival
	chains := map[string]*wire.Chain{}
	for i, step := range h.Steps {
		chain := chains[step.Sidecar]
		if chain == nil {
			org, sidecar, _ := strings.Cut(step.Sidecar, "/")
			var err error
			chain, err = wire.NewChain(wire.ChainConfig{Signer: schematest.Identity(byte(1 + len(chains))),
				Org: prefix + org, Sidecar: sidecar, Instance: "outbox-1", Version: "0.1.0"})
			if err != nil {
				return nil, err
			}
			chains[step.Sidecar] = chain
		}
		message, err := chain.Seal(h.draft(prefix, step))
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", i, err)
		}
		for n, at := range step.Arrives {
			m := message
			if n > 0 {
				m.Header = map[string][]string{}
				for name, value := range message.Header {
					if name != wire.HeaderMessageID {
						m.Header[name] = value
					}
				}
			}
			arrivals = append(arrivals, arrival{at, m})
		}
	}
	slices.SortStableFunc(arrivals, func(x, y arrival) int { return cmp.Compare(x.at, y.at) })
	var out []wire.Message
	for _, a := range arrivals {
		out = append(out, a.message)
	}
	return out, nil
}

func (h History) draft(prefix string, step Step) wire.Draft {
	under := func(p schema.Place) schema.Place {
		if p == "" {
			return ""
		}
		return schema.Place(prefix) + p
	}
	switch {
	case step.Movement != nil:
		m := *step.Movement
		m.Output = under(m.Output)
		m.Inputs = slices.Clone(m.Inputs)
		for i := range m.Inputs {
			m.Inputs[i].Place = under(m.Inputs[i].Place)
		}
		m.Electors.Sets = slices.Clone(m.Electors.Sets)
		for i := range m.Electors.Sets {
			h.total(prefix, step.Sidecar, &m, i)
		}
		return wire.Draft{Movement: &m}
	case step.Chunk != nil:
		return wire.Draft{Chunk: step.Chunk.under(prefix)}
	case step.Heartbeat != nil:
		beat := *step.Heartbeat
		beat.Places = nil
		for _, p := range step.Heartbeat.Places {
			beat.Places = append(beat.Places, under(p))
		}
		return wire.Draft{Heartbeat: &beat}
	case step.Gap != nil:
		gap := *step.Gap
		gap.Place = under(gap.Place)
		return wire.Draft{Gap: &gap}
	}
	return wire.Draft{}
}

func (c *Chunk) under(prefix string) *wire.Chunk {
	return &wire.Chunk{Movement: c.Movement, Set: c.Set, Index: c.Index, IDSpace: c.IDSpace, KeyID: c.KeyID, Role: c.Role, Keys: Keys(prefix, c.Electors)}
}

// total gives a closed movement's set the keys and the digest of its chunks: those that were announced, whether or
// not they arrive. One that is nowhere in the history counts as one key.
func (h History) total(prefix, sidecar string, m *schema.Movement, set int) {
	s := &m.Electors.Sets[set]
	if m.State != schema.Closed {
		return
	}
	var digest wire.SetDigest
	s.Keys = 0
	for index := range s.Chunks {
		n := 1
		for _, other := range h.Steps {
			c := other.Chunk
			if c != nil && other.Sidecar == sidecar && c.Movement == m.ID && int(c.Set) == set && c.Index == index {
				sealed := c.under(prefix)
				digest.Add(sealed.BodyHash())
				n = len(sealed.Keys)
				break
			}
		}
		s.Keys += uint64(n)
	}
	s.Digest = digest.String()
}
