package pgtap

import (
	"testing"
	"time"
)

const us = time.Microsecond

// Who asks one thing after another is waited for until three quarters are there.
func TestClientsThatComeBackShareACommit(t *testing.T) {
	var g gathering
	now := time.Now()
	if g.stay(1, now) != 0 {
		t.Error("the first result of all stays")
	}
	g.landed(8, 300*us, now)
	for results, want := range map[int]time.Duration{1: 600 * us, 5: 600 * us, 6: 0, 8: 0} {
		if stay := g.stay(results, now); stay != want {
			t.Errorf("%d results of 8 stay %s, want %s", results, stay, want)
		}
	}
	if stay := g.stay(1, now.Add(600*us)); stay != 0 {
		t.Errorf("a result that comes late stays %s", stay)
	}
	g.landed(8, 20*time.Millisecond, now)
	if stay := g.stay(1, now); stay != maxStay {
		t.Errorf("results stay %s for a slow disk, want %s", stay, maxStay)
	}
	for results := range 3 {
		g.landed(results, 300*us, now)
		if stay := g.stay(results, now); stay != 0 {
			t.Errorf("%d results of %d stay %s", results, results, stay)
		}
	}
}

// Who has other things to do before he asks again is hardly waited for.
func TestClientsThatDoNotComeBackAreNotWaitedFor(t *testing.T) {
	const commits = 10_000
	var g gathering
	now := time.Now()
	waits := func(commits int, come bool) (n int) {
		for range commits {
			if g.landed(8, 300*us, now); g.stay(1, now) == 0 {
				continue
			}
			if n++; come {
				g.came()
			} else {
				g.waited()
			}
		}
		return n
	}
	if n := waits(commits, false); n > commits/50 {
		t.Errorf("%d of %d commits were waited with for nothing", n, commits)
	}
	if n := waits(commits, true); n < commits*9/10 {
		t.Errorf("of %d commits for clients that come back now, %d were waited with", commits, n)
	}
}
