package pgtap

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/schema"
	form "github.com/rolltrace/rolltrace/schema/wire"
)

// pieces is a wire whose other side has sent everything already, in pieces of a size, and takes everything.
type pieces struct {
	rest  []byte
	size  int
	taken bytes.Buffer
}

func (p *pieces) fill(b *buffer) error {
	if len(p.rest) == 0 {
		return io.EOF
	}
	b.room(b.want())
	n := copy(b.data[b.to:], p.rest[:min(p.size, len(p.rest))])
	p.rest = p.rest[n:]
	b.to += n
	return nil
}

func (p *pieces) Write(b []byte) (int, error)    { return p.taken.Write(b) }
func (*pieces) CloseWrite() error                { return nil }
func (*pieces) SetReadDeadline(time.Time) error  { return nil }
func (*pieces) SetWriteDeadline(time.Time) error { return nil }
func (*pieces) Close() error                     { return nil }

// instant is an outbox that has everything at once: fuzzing is about what is read.
type instant struct{ keys int }

func (o *instant) Append(_ context.Context, drafts ...form.Draft) (*producers.Receipt, error) {
	for _, d := range drafts {
		if d.Chunk != nil {
			o.keys += len(d.Chunk.Keys)
		}
	}
	receipt, settle := producers.NewReceipt()
	settle(nil)
	return receipt, nil
}

func (*instant) Now(context.Context) (schema.Time, error) { return schema.At(time.Now()), nil }

// odd is a catalogue that knows columns by whether their number is odd.
type odd struct{}

func (odd) Trace(_ context.Context, _ string, columns []Column, dst []Origin) ([]Origin, error) {
	for _, c := range columns {
		o := Origin{}
		if c.Number%2 == 1 {
			o = Origin{Place: "party-a/crm/voters", Space: schema.ElectorID}
		}
		dst = append(dst, o)
	}
	return dst, nil
}
func (odd) Places(string) []schema.Place { return []schema.Place{"party-a/crm/voters"} }
func (odd) Generation() uint64           { return 0 }
func (odd) Changed(string)               {}
func (odd) Read(context.Context, Session, any) (*Reading, error) {
	return &Reading{Gap: -1}, nil
}

func (odd) Returnable(context.Context, Session, *Target) ([]string, bool, error) {
	return nil, false, nil
}
func (odd) Function(context.Context, string, uint32) ([]schema.Place, error) { return nil, nil }

type firstBytes struct{}

func (firstBytes) Keys(dst []schema.Key, ids [][]byte) []schema.Key {
	for _, id := range ids {
		dst = append(dst, schema.Key(id[0]))
	}
	return dst
}

// newFuzzed is a session between two wires.
func newFuzzed(t testing.TB, client, server *pieces) (*session, *instant) {
	t.Helper()
	o := &instant{}
	tap, err := New(Config{
		Listen: "127.0.0.1:0", Server: "127.0.0.1:1", Outbox: o, Catalogue: odd{}, KeyID: "k-00000000",
		Keyer: func(schema.IDSpace) Keyer { return firstBytes{} },
		Route: func(Client) Route { return Route{Output: "party-a/x/y", Kind: schema.Export} },
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{tap: tap, client: client, server: server, track: newTracker()}
	s.front.session, s.back.session = s, s
	if s.recorder, err = newRecorder(tap.cfg, schema.RecordedBy{User: "u", Host: "h"}); err != nil {
		t.Fatal(err)
	}
	return s, o
}

func frame(kind byte, body string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(body))), body...)
}

func frames(messages ...[]byte) []byte { return bytes.Join(messages, nil) }

// FuzzClient: whatever a client sends, in whatever pieces, the tap stands, holds little, and sends on the same.
func FuzzClient(f *testing.F) {
	f.Add(frames(frame('Q', "SELECT 1\x00"), frame('X', "")), uint8(1))
	f.Add(frames(frame('P', "\x00SELECT 1\x00\x00\x00"), frame('B', "\x00\x00\x00\x00\x00\x00\x00\x00"), frame('E', "\x00\x00\x00\x00\x00"), frame('S', "")), uint8(3))
	f.Add(frames(frame('D', "Pp\x00"), frame('E', "p\x00\x00\x00\x00\x01"), frame('C', "Pp\x00"), frame('d', "1\n"), frame('c', "")), uint8(7))
	f.Add([]byte("Q\x7f\xff\xff\xff"), uint8(2))
	f.Add([]byte("B\x3f\xff\xff\xffabc"), uint8(2))
	f.Add([]byte("Q\x00\x00\x00\x03"), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		run := func(size int) ([]byte, []item, error) {
			client, server := &pieces{rest: data, size: size}, &pieces{}
			s, _ := newFuzzed(t, client, server)
			err := s.front.run()
			if !errors.Is(err, io.EOF) && !errors.Is(err, errProtocol) && err != nil {
				t.Fatal(err)
			}
			return server.taken.Bytes(), s.track.items, err
		}
		whole, requests, _ := run(len(data) + 1)
		parts, again, err := run(int(size)%64 + 1)
		if !errors.Is(err, errProtocol) && !bytes.Equal(whole, parts) {
			t.Errorf("in pieces %q, at once %q", parts, whole)
		}
		if len(requests) != len(again) {
			t.Errorf("in pieces %d requests, at once %d", len(again), len(requests))
		}
		if len(whole) > 3*len(data)+16 {
			t.Errorf("%d bytes became %d", len(data), len(whole))
		}
	})
}

// FuzzServer: whatever a server sends, in whatever pieces, the tap stands, holds little, sends on nothing but that, and
// has recorded the identifiers of every row that it has sent on.
func FuzzServer(f *testing.F) {
	description := frame('T', "\x00\x01id\x00\x00\x00\x40\x01\x00\x01\x00\x00\x00\x19\xff\xff\xff\xff\xff\xff\x00\x00")
	row := frame('D', "\x00\x01\x00\x00\x00\x01a")
	f.Add([]byte("Q"), frames(description, row, row, frame('C', "SELECT 2\x00"), frame('Z', "I")), uint8(3))
	f.Add([]byte("PBDES"), frames(frame('1', ""), frame('2', ""), description, row, frame('s', ""), frame('Z', "T")), uint8(1))
	f.Add([]byte("PBES"), frames(frame('1', ""), frame('E', "SERROR\x00\x00"), frame('Z', "I")), uint8(1))
	f.Add([]byte("Q"), frames(frame('H', "\x00\x00\x01\x00\x00"), frame('d', "1\n"), frame('c', ""), frame('C', "COPY 1\x00"), frame('Z', "I")), uint8(4))
	f.Add([]byte("Q"), []byte("T\x7f\xff\xff\xff\x00"), uint8(4))
	f.Add([]byte("Q"), frames(description, []byte("D\x3f\xff\xff\xff\x00\x01\x3f\xff\xff\x00abc")), uint8(4))
	f.Add([]byte("Q"), frames(description, frame('D', "\x00\x02\x00\x00\x00\x01a")), uint8(4))
	f.Fuzz(func(t *testing.T, asked, data []byte, size uint8) {
		run := func(size int) ([]byte, int) {
			client, server := &pieces{}, &pieces{rest: data, size: size}
			s, o := newFuzzed(t, client, server)
			s.track.items = s.track.items[:0]
			for _, kind := range asked[:min(len(asked), 100)] {
				i := item{kind: kind}
				if kind == 'D' {
					i.flags = ofPortal
				}
				s.track.push(i)
			}
			err := s.back.run(context.Background())
			if err == nil {
				t.Error("it ended without an error")
			}
			s.tap.ledger.sweep(time.Now(), -1)
			s.tap.ledger.closing.Wait()
			return client.taken.Bytes(), o.keys
		}
		whole, _ := run(len(data) + 1)
		parts, keys := run(int(size)%64 + 1)
		for _, have := range [][]byte{whole, parts} {
			if !bytes.HasPrefix(data, have) {
				t.Errorf("sent on %q of %q", have, data)
			}
		}
		rows := 0
		for at, traced := 0, false; at+headerSize <= len(parts); {
			length := int(binary.BigEndian.Uint32(parts[at+1:]))
			if length < 4 || at+1+length > len(parts) {
				break
			}
			body := parts[at+headerSize : at+1+length]
			switch parts[at] {
			case 'T': // one column, with an odd number, as text
				columns, ok := parseColumns(body, nil)
				traced = ok && len(columns) == 1 && columns[0].Number%2 == 1 && !columns[0].Binary
			case 'D':
				if traced && len(body) > 6 && binary.BigEndian.Uint16(body) == 1 && int(binary.BigEndian.Uint32(body[2:])) == len(body)-6 && len(body)-6 <= maxID {
					rows++
				}
			}
			at += 1 + length
		}
		if rows > 0 && keys == 0 {
			t.Errorf("%d rows went on, and no elector is recorded", rows)
		}
	})
}
