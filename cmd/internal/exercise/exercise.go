package exercise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/cmd/internal/consumer"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// What is wrong with an exercise that is asked for.
var (
	ErrNone  = errors.New("there is no such exercise")
	ErrEnded = errors.New("the exercise has ended")
	ErrThere = errors.New("an exercise of this name was there already: give another name")
)

// keys of what the centre declared, in the metadata of the exercise's stream.
const (
	keyBreach = "rolltrace.breach"
	keyFrom   = "rolltrace.from"
	keyUntil  = "rolltrace.until"
	keyBy     = "rolltrace.by"
	keyEnded  = "rolltrace.ended"
)

// An Exercise is what the centre declared.
type Exercise struct {
	Name   stream.Exercise `json:"name"`
	Breach string          `json:"breach"` // the place, or organisation, that is breached: what went on from there is to be found
	By     string          `json:"by"`     // who declared it
	From   schema.Time     `json:"from"`   // the window in which it takes place
	Until  schema.Time     `json:"until"`
	Ended  schema.Time     `json:"ended"` // "" while it goes on
}

// Over says whether it takes no more: it was ended, or its window is over.
func (e Exercise) Over(now time.Time) bool { return !e.Ended.IsZero() || now.After(e.Until.Time) }

// Start declares an exercise: it makes its streams. ErrThere if there was one of that name.
func Start(ctx context.Context, js jetstream.JetStream, e Exercise) error {
	_, err := Read(ctx, js, e.Name)
	if err == nil {
		return fmt.Errorf("%w: %s", ErrThere, e.Name)
	}
	if !errors.Is(err, ErrNone) {
		return err
	}
	_, err = stream.Ensure(ctx, js, stream.Options{Exercise: e.Name, Metadata: map[string]string{
		keyBreach: e.Breach, keyFrom: e.From.String(), keyUntil: e.Until.String(), keyBy: e.By,
	}})
	if err != nil {
		return fmt.Errorf("make the streams of exercise %s: %w", e.Name, err)
	}
	return nil
}

// Read is what was declared. ErrNone if nothing was.
func Read(ctx context.Context, js jetstream.JetStream, name stream.Exercise) (Exercise, error) {
	e := Exercise{Name: name}
	s, err := js.Stream(ctx, name.Log())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return e, fmt.Errorf("%w: %s: rolltrace exercise list says which there are", ErrNone, name)
	}
	if err != nil {
		return e, fmt.Errorf("look for exercise %s: %w", name, err)
	}
	meta := s.CachedInfo().Config.Metadata
	e.Breach, e.By = meta[keyBreach], meta[keyBy]
	for key, at := range map[string]*schema.Time{keyFrom: &e.From, keyUntil: &e.Until, keyEnded: &e.Ended} {
		if meta[key] == "" {
			continue
		}
		if *at, err = schema.ParseTime(meta[key]); err != nil {
			return e, fmt.Errorf("exercise %s: %s in the metadata of stream %s: %w", name, key, name.Log(), err)
		}
	}
	return e, nil
}

// List is every exercise there was, by the time at which it began.
func List(ctx context.Context, js jetstream.JetStream) ([]Exercise, error) {
	all := []Exercise{}
	prefix := stream.Exercise("").Log() + "_EXERCISE_"
	names := js.StreamNames(ctx)
	for name := range names.Name() {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok || strings.HasSuffix(name, "_REJECTED") || strings.HasSuffix(name, "_ALERT") {
			continue
		}
		e, err := Read(ctx, js, stream.Exercise(strings.ToLower(rest)))
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	if err := names.Err(); err != nil {
		return nil, fmt.Errorf("list exercises: %w", err)
	}
	slices.SortFunc(all, func(a, b Exercise) int { return a.From.Compare(b.From.Time) })
	return all, nil
}

// Database is a DSN with the exercise's database instead of the real one, which it is named after.
func Database(dsn string, name stream.Exercise) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", errors.New("read the ClickHouse DSN: want clickhouse://user:password@host:port/database")
	}
	database := strings.Trim(u.Path, "/")
	if database == "" {
		database = graph.DefaultDatabase
	}
	u.Path = "/" + database + "_exercise_" + strings.ReplaceAll(string(name), "-", "_")
	return u.String(), nil
}

// Follow brings everything that the exercise's log has now into its graph. dsn is the exercise's database, of a user who
// may make it.
func Follow(ctx context.Context, js jetstream.JetStream, name stream.Exercise, dsn, definer string, log zerolog.Logger) error {
	if err := graph.Migrate(ctx, graph.Options{DSN: dsn, Definer: definer}); err != nil {
		return fmt.Errorf("make the graph of exercise %s: %w", name, err)
	}
	s, err := js.Stream(ctx, name.Log())
	if err != nil {
		return fmt.Errorf("look at the log of exercise %s: %w", name, err)
	}
	last := s.CachedInfo().State.LastSeq
	conn, err := graph.Open(dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	g := graph.New(conn, graph.Config{})
	if done, err := reached(ctx, g, last); err != nil || done {
		return err
	}
	reads, err := consumer.New(consumer.Options{Hub: js, ClickHouse: dsn, Exercise: name, Log: log})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ran := make(chan error, 1)
	go func() { ran <- reads.Run(running) }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ran:
			if err == nil {
				err = ctx.Err()
			}
			return err
		case <-tick.C:
		}
		done, err := reached(ctx, g, last)
		if err == nil && !done {
			continue
		}
		stop()
		return errors.Join(err, <-ran)
	}
}

// reached says whether everything up to a message of the log is in the graph, and what follows from it.
func reached(ctx context.Context, g *graph.Graph, last uint64) (bool, error) {
	progress, err := g.Progress(ctx)
	if err != nil {
		return false, fmt.Errorf("ask how far the graph is: %w", err)
	}
	return last == 0 || len(progress) == 1 && progress[0].Derived >= last, nil
}

// End ends an exercise: its streams take no more, and stay. What they have must be in the graph before (Follow).
func End(ctx context.Context, js jetstream.JetStream, name stream.Exercise, now time.Time) error {
	for _, one := range []string{name.Log(), name.Rejected(), name.Alert()} {
		s, err := js.Stream(ctx, one)
		if err != nil {
			return fmt.Errorf("end exercise %s: stream %s: %w", name, one, err)
		}
		cfg := s.CachedInfo().Config
		if cfg.Sealed {
			continue
		}
		if one == name.Log() {
			cfg.Metadata[keyEnded] = schema.At(now).String()
		}
		cfg.Sealed = true
		if _, err := js.UpdateStream(ctx, cfg); err != nil {
			return fmt.Errorf("end exercise %s: seal stream %s: %w", name, one, err)
		}
	}
	return nil
}

// A Sighting is what a player reported: a place or an organisation where records of the breach are.
type Sighting struct {
	At    string      `json:"at"`
	By    string      `json:"by"`
	Seen  schema.Time `json:"seen"`            // when the hub had it; not said by the player
	Count *uint64     `json:"count,omitempty"` // electors there, if the player says how many
}

// reportSubject is where sightings are in their stream.
const reportSubject = wire.Prefix + string(wire.TypeAlert) + ".sighting"

// Report hands in a sighting.
func Report(ctx context.Context, js jetstream.JetStream, name stream.Exercise, s Sighting) error {
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if _, err := js.Publish(ctx, name.Subject(reportSubject), body, jetstream.WithExpectStream(name.Alert())); err != nil {
		return fmt.Errorf("report to exercise %s: %w", name, err)
	}
	return nil
}

// Sightings are those that were handed in, in order.
func Sightings(ctx context.Context, js jetstream.JetStream, name stream.Exercise) ([]Sighting, error) {
	all := []Sighting{}
	err := each(ctx, js, name.Alert(), func(m *jetstream.RawStreamMsg) error {
		if m.Subject != reportSubject {
			return nil
		}
		var s Sighting
		if err := json.Unmarshal(m.Data, &s); err != nil {
			return fmt.Errorf("message %d of stream %s is no sighting: %w", m.Sequence, name.Alert(), err)
		}
		s.Seen = schema.At(m.Time)
		all = append(all, s)
		return nil
	})
	return all, err
}

// each reads a small stream from its beginning.
func each(ctx context.Context, js jetstream.JetStream, name string, do func(*jetstream.RawStreamMsg) error) error {
	s, err := js.Stream(ctx, name)
	if err != nil {
		return fmt.Errorf("read stream %s: %w", name, err)
	}
	state := s.CachedInfo().State
	if state.Msgs == 0 {
		return nil
	}
	for sequence := state.FirstSeq; sequence <= state.LastSeq; sequence++ {
		m, err := s.GetMsg(ctx, sequence)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read message %d of stream %s: %w", sequence, name, err)
		}
		if err := do(m); err != nil {
			return err
		}
	}
	return nil
}

// Injected is when the hub had the first movement of the exercise; zero if there is none.
func Injected(ctx context.Context, js jetstream.JetStream, name stream.Exercise) (schema.Time, error) {
	var first schema.Time
	errFound := errors.New("found")
	err := each(ctx, js, name.Log(), func(m *jetstream.RawStreamMsg) error {
		if address, err := wire.ParseSubject(m.Subject); err == nil && address.Type == wire.TypeMovement {
			first = schema.At(m.Time)
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return first, err
}
