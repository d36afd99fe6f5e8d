package intake

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// What a request asks for, in its header.
const (
	opHeader = "op"
	opAppend = "append"
	opNow    = "now"
	opEnd    = "end"
)

// draft is one draft of an append: the content as JSON, and the keys of a chunk behind all of them.
type draft struct {
	Movement *schema.Movement `json:"movement,omitempty"`
	Gap      *wire.Gap        `json:"gap,omitempty"`
	Chunk    *chunk           `json:"chunk,omitempty"`
}

type chunk struct {
	Movement string         `json:"movement"`
	Set      uint16         `json:"set"`
	Index    uint32         `json:"index"`
	IDSpace  schema.IDSpace `json:"id_space"`
	KeyID    schema.KeyID   `json:"key_id"`
	Role     schema.SetRole `json:"role,omitempty"`
	Keys     int            `json:"keys"`
}

var errRequest = errors.New("malformed request")

// encodeDrafts writes the length of the JSON, the JSON, and the keys of all chunks.
func encodeDrafts(drafts []wire.Draft) ([]byte, error) {
	list := make([]draft, len(drafts))
	keys := 0
	for i, d := range drafts {
		switch {
		case d.Chunk != nil:
			c := d.Chunk
			list[i].Chunk = &chunk{c.Movement, c.Set, c.Index, c.IDSpace, c.KeyID, c.Role, len(c.Keys)}
			keys += len(c.Keys)
		case d.Heartbeat != nil:
			return nil, errors.New("append through the sidecar: heartbeats are the sidecar's own")
		default:
			list[i].Movement, list[i].Gap = d.Movement, d.Gap
		}
	}
	meta, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, binary.MaxVarintLen64+len(meta)+8*keys)
	b = binary.AppendUvarint(b, uint64(len(meta)))
	b = append(b, meta...)
	for _, d := range drafts {
		if d.Chunk != nil {
			b = wire.AppendKeys(b, d.Chunk.Keys)
		}
	}
	return b, nil
}

func decodeDrafts(b []byte) ([]wire.Draft, error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, errRequest
	}
	var list []draft
	if err := json.Unmarshal(b[used:used+int(n)], &list); err != nil {
		return nil, errRequest
	}
	b = b[used+int(n):]
	drafts := make([]wire.Draft, len(list))
	for i, d := range list {
		drafts[i] = wire.Draft{Movement: d.Movement, Gap: d.Gap}
		if d.Chunk == nil {
			continue
		}
		if d.Chunk.Keys < 1 || d.Chunk.Keys > len(b)/8 {
			return nil, errRequest
		}
		keys, err := wire.ParseKeys(nil, b[:8*d.Chunk.Keys])
		if err != nil {
			return nil, errRequest
		}
		b = b[8*d.Chunk.Keys:]
		drafts[i].Chunk = &wire.Chunk{
			Movement: d.Chunk.Movement, Set: d.Chunk.Set, Index: d.Chunk.Index, IDSpace: d.Chunk.IDSpace, KeyID: d.Chunk.KeyID, Role: d.Chunk.Role, Keys: keys,
		}
	}
	if len(b) != 0 {
		return nil, errRequest
	}
	return drafts, nil
}

// hello begins or continues a session.
type hello struct {
	Protocol int    `json:"protocol"`
	Client   string `json:"client"` // a UUID: names the session
	PID      int    `json:"pid"`
	Program  string `json:"program"`
}

// answer is the reply to every request.
type answer struct {
	Now    schema.Time   `json:"now"`
	Code   string        `json:"code,omitempty"` // "" for done
	Text   string        `json:"text,omitempty"`
	Faults schema.Faults `json:"faults,omitempty"`
}

// errEnded: the holder has closed the client's movements, for it took the client for gone.
var errEnded = errors.New("session ended")

// codes are the errors that a client tells apart.
var codes = map[string]error{
	"full": producers.ErrFull, "broken": producers.ErrBroken, "closed": producers.ErrClosed, "ended": errEnded, "request": errRequest,
}

// answerTo turns the error of an outbox into an answer.
func answerTo(err error) answer {
	if err == nil {
		return answer{}
	}
	var faults schema.Faults
	if errors.As(err, &faults) {
		return answer{Code: "faults", Faults: faults}
	}
	for code, sentinel := range codes {
		if errors.Is(err, sentinel) {
			return answer{Code: code, Text: err.Error()}
		}
	}
	return answer{Code: "broken", Text: err.Error()}
}

// told is an error that the holder told: it reads as it does there, and is what it is there.
type told struct {
	text     string
	sentinel error
}

func (e told) Error() string { return e.text }
func (e told) Unwrap() error { return e.sentinel }

func (a answer) err() error {
	switch a.Code {
	case "":
		return nil
	case "faults":
		return a.Faults
	case "ended":
		return fmt.Errorf("%w: the sidecar took this process for gone and closed its movements as failed", producers.ErrBroken)
	}
	if sentinel, ok := codes[a.Code]; ok {
		return told{a.Text, sentinel}
	}
	return told{a.Text, producers.ErrBroken}
}
