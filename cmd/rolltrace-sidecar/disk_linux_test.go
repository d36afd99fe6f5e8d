package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

// onFullDisk runs a tee whose outbox is on a disk that is full when some of the list has passed, and gives it the rest. The
// test makes room again, if it does, when the tee has said that it waits.
func onFullDisk(t *testing.T, through bool, timeout string, test func(d *desk, run, tee *process, passed func() []byte, text []byte, ids []string, lighten func())) {
	schematest.OnSmallDisk(t, "size=96m", func(t *testing.T, disk string) {
		d := newDesk(t)
		d.outbox = filepath.Join(disk, "outbox")
		var run *process
		if through {
			run = d.sidecar("--block-timeout", timeout)
		}
		text, ids := roll(400_000)
		p := d.start(d.share("--id", "elector_id", "--block-timeout", timeout)...)
		in, feed, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		p.Stdin = in
		out := p.output()
		p.begin()
		_ = in.Close()
		some := len(text) / 4
		go func() {
			_, _ = feed.Write(text[:some])
		}()
		first := make([]byte, some/2)
		if _, err := io.ReadFull(out, first); err != nil {
			t.Fatalf("%v: %s", err, p.said.String())
		}
		lighten := schematest.Ballast(t, disk, 0)
		rest := make(chan []byte, 1)
		go func() {
			b, _ := io.ReadAll(out)
			rest <- b
		}()
		go func() {
			_, _ = feed.Write(text[some:]) // until tee has gone
			_ = feed.Close()
		}()
		passed := func() []byte { return append(first, <-rest...) }
		test(d, run, p, passed, text, ids, lighten)
	})
}

func isThrough(through bool) string {
	if through {
		return "through a running sidecar"
	}
	return "alone"
}

// A full disk stops the flow. It is said that it waits, and what for; then, when it has waited long enough, what was wrong. The
// movement has failed, with everybody who had gone and no more records than that.
func TestTheDiskIsFull(t *testing.T) { testFullDisk(t, false) }

func TestTheDiskOfTheSidecarIsFull(t *testing.T) { testFullDisk(t, true) }

func testFullDisk(t *testing.T, through bool) {
	onFullDisk(t, through, "3s", func(d *desk, run, tee *process, passed func() []byte, text []byte, ids []string, lighten func()) {
		t := d.t
		out := passed()
		code, said := tee.end(), tee.said.String()
		t.Log(said)
		lines := strings.Split(strings.TrimSpace(said), "\n")
		if code != 1 || !strings.Contains(lines[len(lines)-1], "outbox full") || !strings.Contains(said, "free on the disk: make room") {
			t.Errorf("%s: exit code %d, said %q", isThrough(through), code, said)
		}
		if through {
			run.says("elector data waits for room")
		} else if len(lines) != 2 || !strings.Contains(lines[0], "note: waiting: outbox full") {
			t.Errorf("said %q, want that it waits, and then the error", said)
		}
		if len(out) == 0 || len(out) == len(text) || !bytes.HasPrefix(text, out) {
			t.Errorf("%d of %d bytes came out", len(out), len(text))
		}
		lighten()
		hub := d.startHub()
		if run != nil {
			run.stop()
		}
		run = d.sidecar()
		m := hub.closed(1)[0]
		if m.Outcome != schema.Failed {
			t.Errorf("the movement is %s", m.Outcome)
		}
		var keys []schema.Key
		for _, c := range hub.chunks[m.ID] {
			keys = append(keys, c.Keys...)
		}
		d.recorded("full disk", out, keys)
		released := uint64(max(0, bytes.Count(out, []byte{'\n'})-1))
		t.Logf("%d released, %d keys, movement: %d records, %d keys, %d bytes", released, len(keys), m.Electors.Records, m.Electors.Sets[0].Keys, m.Evidence.Bytes)
		if m.Evidence.Bytes != uint64(len(out)) || m.Electors.Sets[0].Keys != uint64(len(keys)) || m.Electors.Records != max(released, uint64(len(keys))) {
			t.Errorf("the movement has %d bytes, %d records, %d keys; %d bytes and %d records came out, %d keys are at the hub",
				m.Evidence.Bytes, m.Electors.Records, m.Electors.Sets[0].Keys, len(out), released, len(keys))
		}
		run.stop()
	})
}

// Space again: it is said that it goes on, and it does.
func TestTheDiskIsFullAndThenNot(t *testing.T) { testSpaceAgain(t, false) }

func TestTheDiskOfTheSidecarIsFullAndThenNot(t *testing.T) { testSpaceAgain(t, true) }

func testSpaceAgain(t *testing.T, through bool) {
	onFullDisk(t, through, "5m", func(d *desk, run, tee *process, passed func() []byte, text []byte, ids []string, lighten func()) {
		t := d.t
		waiter, waits, goes := tee, "note: waiting: outbox full", "note: there is room again: going on"
		if through {
			waiter, waits, goes = run, "elector data waits for room", "there is room again"
		}
		waiter.says(waits)
		lighten()
		waiter.says(goes)
		out := passed()
		if code := tee.end(); code != 0 || !bytes.Equal(out, text) {
			t.Errorf("%s: exit code %d, %d of %d bytes, said %s", isThrough(through), code, len(out), len(text), tee.said.String())
		}
		t.Log(tee.said.String())
		if run != nil {
			run.stop()
		}
		hub := d.startHub()
		run = d.sidecar()
		m := hub.closed(1)[0]
		if m.Outcome != schema.Completed || !slices.Equal(hub.keys(m, 0), d.want(schema.ElectorID, ids...)) {
			t.Errorf("the movement is %s, with %d keys", m.Outcome, len(hub.keys(m, 0)))
		}
		if len(hub.gaps) > 0 {
			t.Errorf("a gap: %+v", hub.gaps[0])
		}
		run.stop()
	})
}
