package pgtap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits of the client's messages, in bytes.
const (
	headerSize   = 5       // type and length
	maxSmall     = 10_000  // Postgres' own limit for messages that are a name or two
	maxStatement = 1 << 20 // of a statement that is looked at; a longer one goes on unseen, and what it returns is counted
	maxNames     = 4096    // prepared statements and portals that are remembered of a session
	maxMessage   = 1 << 30 // as Postgres has it, about
)

// errProtocol is what ends a session with a peer that does not speak the protocol.
var errProtocol = errors.New("protocol violation")

// A front reads what the client sends, takes note of the requests, and sends them on to the server.
type front struct {
	*session
	in      buffer
	out     []byte // what goes out before in.data[in.from:], when something was put in
	passing int    // bytes of a message's body that go on unseen

	described string          // portal that the client or the tap had described since the last Sync, and nothing
	known     bool            // has run since; known says that there is one
	copying   bool            // the last message was CopyData
	entry     *entry          // that reads it; nil for nobody
	became    bool            // the session may be another user's
	made      map[string]bool // tables that were made in the transaction
	over      bool            // Terminate was sent
}

// run ends with nil when the client has ended its side.
func (f *front) run() error {
	defer f.in.free()
	for {
		if err := f.client.fill(&f.in); err != nil {
			return errors.Join(f.send(f.in.to), err)
		}
		end, err := f.scan()
		if err == nil {
			err = f.send(end)
		}
		if err != nil || f.over {
			return err
		}
	}
}

// send writes what was scanned.
func (f *front) send(end int) error {
	part := f.in.data[f.in.from:end]
	if len(f.out) > 0 {
		f.out = append(f.out, part...)
		part = f.out
	}
	if len(part) == 0 {
		return nil
	}
	f.toServer.Lock()
	_, err := f.server.Write(part)
	f.toServer.Unlock()
	f.in.from = end
	if cap(f.out) > bufferSize {
		f.out = nil
	}
	f.out = f.out[:0]
	if err != nil {
		return serverError{err}
	}
	return nil
}

// put adds a message of the tap's own, which goes out before the message at position at.
func (f *front) put(at int, message []byte) {
	f.out = append(append(f.out, f.in.data[f.in.from:at]...), message...)
	f.in.from = at
}

// scan looks at the messages that have come, and returns up to where they may go on.
func (f *front) scan() (end int, err error) {
	at := f.in.from
	for at < f.in.to {
		if f.passing > 0 {
			n := min(f.passing, f.in.to-at)
			if f.copying {
				f.entry.take(f.in.data[at : at+n])
			}
			f.passing -= n
			at += n
			continue
		}
		if f.in.to-at < headerSize {
			break
		}
		kind, length := f.in.data[at], int(binary.BigEndian.Uint32(f.in.data[at+1:]))
		if length < 4 || length > maxMessage {
			return at, fmt.Errorf("%w: the client sent a message of %d bytes", errProtocol, length)
		}
		total := 1 + length
		body := f.in.data[at+headerSize : min(f.in.to, at+total)]
		complete := len(body) == length-4
		if !complete && f.wants(kind, length, body) {
			break
		}
		if err := f.request(kind, at, body, complete); err != nil {
			return at, err
		}
		if f.over { // whatever comes behind it
			return at + headerSize, nil
		}
		if complete {
			at += total
		} else {
			f.passing = length - 4 - len(body)
			at = f.in.to
		}
	}
	return at, nil
}

// wants says whether more of the message has to be there before it is looked at.
func (f *front) wants(kind byte, length int, body []byte) bool {
	switch kind {
	case 'Q', 'P':
		return length <= maxStatement
	case 'D', 'E', 'C':
		return length <= maxSmall
	case 'F':
		return len(body) < 4
	case 'B': // the names, not the values
		_, _, ok := names(body)
		return !ok && len(body) < maxSmall
	}
	return false
}

// request takes note of a message. Of a message that is not complete body is what has come.
func (f *front) request(kind byte, at int, body []byte, complete bool) error {
	if kind != copyData {
		f.copying = false
	}
	ok := true
	if !complete && (kind == 'D' || kind == 'E' || kind == 'C') { // so long that Postgres refuses it
		f.known = false
		body = nil
	}
	switch kind {
	case 'Q':
		f.known = false
		of := prepared{statement: f.analyse(body, complete)}
		if f.refuses(of.statement) {
			f.replace(at, headerSize+len(body), raiseSimple())
			of.statement = nil
		} else if longer, added := f.extend(of.statement, body); added != nil {
			of.returns = added
			f.replace(at, headerSize+len(body), own(nil, 'Q', string(longer)))
		}
		ok = f.track.push(item{kind: 'Q', flags: f.note(of.statement), prepared: of})
	case 'P':
		name, text, _ := cutName(body)
		of := prepared{statement: f.analyse(text, complete)}
		if longer, added := f.extend(of.statement, text); added != nil {
			of.returns = added
			f.replace(at, headerSize+len(body), own(nil, 'P', string(name)+"\x00"+string(longer)))
		}
		ok = f.track.name(item{kind: 'P', flags: f.note(of.statement)}, false, name, of)
	case 'B':
		f.known = false
		portal, statement, named := names(body)
		ok = f.track.bind(portal, statement, named)
	case 'D':
		i := item{kind: 'D'}
		if len(body) > 0 {
			if body[0] == 'P' {
				i.flags = ofPortal
				f.describe(body[1:])
			}
			name, _, _ := cutName(body[1:])
			i.prepared = f.track.named(body[0] == 'P', name)
		}
		ok = f.track.push(i)
	case 'E':
		if !complete {
			ok = f.track.push(item{kind: 'E'})
			break
		}
		ok = f.execute(at, body)
	case 'C':
		f.known = false
		if len(body) == 0 {
			ok = f.track.push(item{kind: 'C'})
			break
		}
		name, _, _ := cutName(body[1:])
		ok = f.track.name(item{kind: 'C'}, body[0] == 'P', name, prepared{})
	case 'S':
		f.known = false
		ok = f.track.push(item{kind: 'S'})
	case 'F':
		f.known = false
		i := item{kind: 'F'}
		if len(body) >= 4 {
			i.function = binary.BigEndian.Uint32(body)
		}
		ok = f.track.push(i)
	case copyData:
		if !f.copying {
			f.copying = true
			if err := f.send(at); err != nil {
				return err
			}
			f.entry, ok = f.track.data(f.tap.cfg.Analyst != nil)
		}
		f.entry.take(body)
	case copyDone, 'f':
		ok = f.track.push(item{kind: copyDone})
	case 'X':
		f.over = true
	case 'H', 'p':
	default:
		// Postgres says what is wrong with it, and ends the session.
	}
	if !ok {
		return errEnded
	}
	return nil
}

// describe remembers which portal's description is on its way.
func (f *front) describe(body []byte) {
	name, _, ok := bytes.Cut(body, []byte{0})
	if f.known = ok; ok && f.described != string(name) {
		f.described = string(name)
	}
}

// execute makes sure that the rows of a portal are described before they come.
func (f *front) execute(at int, body []byte) bool {
	name, limit, _ := bytes.Cut(body, []byte{0})
	e := item{kind: 'E', prepared: f.track.named(true, name)}
	if e.returns != nil && len(limit) == 4 {
		// What changes rows is not done in parts: so it is no more when it returns some.
		clear(limit)
	}
	if f.refuses(e.statement) {
		f.replace(at, headerSize+len(body), raiseExtended())
		f.known = false
		own := flags(swallow)
		return f.track.push(item{kind: 'C', flags: own}, item{kind: 'P', flags: own}, item{kind: 'B', flags: own}, item{kind: 'E'})
	}
	if f.known && f.described == string(name) {
		return f.track.push(e)
	}
	message := append(make([]byte, 0, headerSize+2+len(name)), 'D', 0, 0, 0, 0, 'P')
	message = append(append(message, name...), 0)
	binary.BigEndian.PutUint32(message[1:], uint32(len(message)-1))
	f.put(at, message)
	f.known, f.described = true, string(name)
	return f.track.push(item{kind: 'D', flags: ofPortal | swallow, prepared: e.prepared}, e)
}

// analyse is what a statement's text says; nil if it is too long to be looked at, or nobody looks at any.
func (f *front) analyse(text []byte, complete bool) *Statement {
	if f.tap.cfg.Analyst == nil || !complete {
		return nil
	}
	text, _, _ = bytes.Cut(text, []byte{0})
	return f.tap.cfg.Analyst.Analyse(text)
}

func cutName(body []byte) (name, rest []byte, ok bool) { return bytes.Cut(body, []byte{0}) }

// names are portal and statement of a Bind.
func names(body []byte) (portal, statement []byte, ok bool) {
	portal, rest, ok := cutName(body)
	if !ok {
		return nil, nil, false
	}
	statement, _, ok = cutName(rest)
	return portal, statement, ok
}
