package outbox

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// A load is how a disk answers commits one after the other: how long one takes, and what it records.
type load struct {
	asleep, awake   time.Duration // a commit's cycle
	slow, quick     int           // records of a commit, with the disk left alone and kept awake
	pause           time.Duration // between bursts
	burst           int           // commits; 0: there is no pause
	stallsFor       time.Duration // now and then
	stallsEvery     int           // commits
	staysAwake      time.Duration // when it is left alone
	wakefulPhasesOf int           // every so many phases left alone it is awake all the same
}

// run gives a trial the commits of a load for a while, and returns for what part of the time the disk was kept awake.
func (l load) run(t *trial, now *time.Duration, d time.Duration) float64 {
	var kept, all time.Duration
	keep, since, phases := t.keep, time.Hour, 0
	for n, end := 1, *now+d; *now < end; n++ {
		cycle, records := l.asleep, l.slow
		if keep || since < l.staysAwake || l.wakefulPhasesOf > 0 && phases%l.wakefulPhasesOf == 0 {
			cycle, records = l.awake, l.quick
		}
		if l.stallsEvery > 0 && n%l.stallsEvery == 0 {
			cycle += l.stallsFor
		}
		*now += cycle
		all += cycle
		if keep {
			kept, since = kept+cycle, 0
		} else {
			since += cycle
		}
		if l.burst > 0 && n%l.burst == 0 {
			*now += l.pause
		}
		was := keep
		if keep = t.committed(*now, records); was && !keep {
			phases++
		}
	}
	return kept.Seconds() / all.Seconds()
}

const us = time.Microsecond

// What this machine's virtual disk does: a cycle of 8 clients.
var sleepy = load{asleep: 580 * us, awake: 290 * us, slow: 4, quick: 4, staysAwake: 48 * time.Millisecond}

func newTrial() *trial {
	t := new(trial)
	t.init()
	return t
}

func TestDiskIsKeptAwakeWhereThatRecordsMore(t *testing.T) {
	for name, tc := range map[string]struct {
		load  load
		least float64 // of the busy time
	}{
		"that falls asleep":     {sleepy, 0.9},
		"that stalls":           {load{asleep: 580 * us, awake: 290 * us, slow: 4, quick: 4, stallsEvery: 150, stallsFor: 15 * time.Millisecond}, 0.7},
		"sometimes awake":       {load{asleep: 580 * us, awake: 290 * us, slow: 4, quick: 4, wakefulPhasesOf: 5}, 0.75},
		"slow to answer at all": {load{asleep: 6 * time.Millisecond, awake: 3 * time.Millisecond, slow: 4, quick: 4}, 0.7},
		"with pauses":           {load{asleep: 580 * us, awake: 290 * us, slow: 4, quick: 4, burst: 1000, pause: 100 * time.Millisecond}, 0.85},
	} {
		var now time.Duration
		if kept := tc.load.run(newTrial(), &now, time.Minute); kept < tc.least {
			t.Errorf("a disk %s is kept awake for %.2f of the time, want %.2f", name, kept, tc.least)
		}
	}
}

func TestDiskIsLeftAloneWhereThatRecordsAsMuch(t *testing.T) {
	const most = 0.06 // of the time: trials
	for name, l := range map[string]load{
		"of constant latency":              {asleep: 300 * us, awake: 300 * us, slow: 4, quick: 4},
		"whose syncs are limited":          {asleep: 300 * us, awake: 600 * us, slow: 4, quick: 4},
		"a little quicker when awake":      {asleep: 300 * us, awake: 280 * us, slow: 4, quick: 4},
		"twice as quick, for half as much": {asleep: 900 * us, awake: 450 * us, slow: 30, quick: 14},
		"that stalls":                      {asleep: 300 * us, awake: 300 * us, slow: 4, quick: 4, stallsEvery: 150, stallsFor: 15 * time.Millisecond},
		"that turns":                       {asleep: 30 * time.Millisecond, awake: 10 * time.Millisecond, slow: 4, quick: 4},
		"seldom written to":                {asleep: 580 * us, awake: 290 * us, slow: 4, quick: 4, burst: 1, pause: closely},
	} {
		var now time.Duration
		if kept := l.run(newTrial(), &now, time.Minute); kept > most {
			t.Errorf("a disk %s is kept awake for %.2f of the time, want at most %.2f", name, kept, most)
		}
	}
}

// What was found is tried again: the load changes.
func TestTrialFollowsTheLoad(t *testing.T) {
	trial, now := newTrial(), time.Duration(0)
	constant := load{asleep: 300 * us, awake: 300 * us, slow: 4, quick: 4}
	for range 3 {
		sleepy.run(trial, &now, 4*time.Second)
		if !trial.keep {
			t.Error("4 s after it began to fall asleep, the disk is not kept awake")
		}
		constant.run(trial, &now, 4*time.Second)
		if trial.keep {
			t.Error("4 s after that gained nothing any more, the disk is kept awake")
		}
	}
}

// Reading ends awakeFor after what stirred last, and with an error.
func TestNothingIsReadWhereNothingIsWritten(t *testing.T) {
	var a awake
	a.init()
	var clock time.Duration
	now := func() time.Duration { return clock }
	read := func() error { clock += 50 * us; return nil }
	if n, err := a.watch(now, read); n != 0 || err != nil {
		t.Errorf("%d reads, %v, before anything was written", n, err)
	}
	if a.stir(); len(a.wake) != 0 {
		t.Error("the disk is woken though it is to be left alone")
	}
	a.keep = true
	before := a.now()
	a.stir()
	if len(a.wake) != 1 {
		t.Error("the disk is not woken")
	}
	clock = before
	if n, err := a.watch(now, read); n < int(awakeFor/(50*us)) || clock > a.now()+awakeFor+50*us || err != nil {
		t.Errorf("%d reads, %v, until %s after a commit", n, err, clock-before)
	}
	if n, _ := a.watch(now, read); n != 0 {
		t.Errorf("%d reads after the end", n)
	}
	clock = 0
	if n, err := a.watch(now, func() error { return errFrame }); n != 1 || !errors.Is(err, errFrame) {
		t.Errorf("%d reads, %v, of a disk that cannot be read", n, err)
	}
}

// An outbox reads while it writes, if it is to, not before, and not after it is closed.
func TestOutboxKeepsItsDiskAwake(t *testing.T) {
	kp, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, []byte("rolltrace outbox tests: 32 bytes"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Dir: t.TempDir(), Org: "party-a", Sidecar: "field-db-1", Signer: kp, Metrics: NewMetrics(nil)}
	o, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if n := testutil.ToFloat64(cfg.Metrics.AwakeReads); n != 0 {
		t.Errorf("%.0f blocks read by an outbox that has written nothing", n)
	}
	b, err := openBlock(cfg.Dir + "/awake")
	able := err == nil
	b.close()
	o.awake.trial.keep = true // nothing is appended yet: the committer does not look
	for i := uint32(0); i == 0 || able && testutil.ToFloat64(cfg.Metrics.AwakeReads) == 0; i++ {
		receipt, err := o.Append(t.Context(), wire.Draft{Chunk: &wire.Chunk{
			Movement: "0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a90", Index: i, IDSpace: schema.ElectorID, KeyID: "k-5f2a9c01", Keys: []schema.Key{schema.Key(i)},
		}})
		if err == nil {
			err = receipt.Wait(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-o.awake.stopped:
	default:
		t.Error("the outbox is closed and still reads")
	}
	if n := testutil.ToFloat64(cfg.Metrics.AwakeReads); !able && n != 0 {
		t.Errorf("%.0f blocks read where none can be", n)
	}
}
