package outbox

import "time"

const (
	// settleFor is how long a phase of a trial is left to itself: a disk that was awake stays so for 50 ms. Then it is measured.
	settleFor  = 50 * time.Millisecond
	measureFor = 50 * time.Millisecond
	measureOf  = 16 // commits, at least

	// trialVotes is how often the other way has to be the better one, the first time before all and then of three: a disk may be awake
	// of itself for a while.
	trialVotes = 2

	// trialGain is how much more has to be recorded with the disk kept awake for what it costs.
	trialGain = 1.1

	// closely is how close to each other commits are that count: who records now and then has nothing to gain.
	closely = 20 * time.Millisecond

	// firstAfter is for how long commits come closely before the first trial, and againAfter before the next one. Where
	// nothing has changed, a trial goes the other way for 100 ms.
	firstAfter = 100 * time.Millisecond
	againAfter = 2 * time.Second
)

// A trial finds out whether more is recorded when the disk is kept awake, from commits that follow each other closely. It
// measures what was recorded, not commits: quicker ones may hold less each, and cost more than they bring.
type trial struct {
	keep bool // what was found: the disk is to be kept awake

	last  time.Duration // when the latest commit was
	busy  time.Duration // for how long commits came closely, since the phase or the pause between two trials began
	phase int           // of the trial: even ones go as was found, odd ones the other way; noPhase: none is under way

	measured time.Duration // in the phase
	commits  int
	records  int
	votes    int     // in the trial, for the other way
	before   float64 // records a second in the phase before
}

const noPhase = -1

func (t *trial) init() { t.phase, t.busy = noPhase, againAfter-firstAfter }

// committed takes note of a commit at a time, and says whether the disk is to be kept awake until the next one.
func (t *trial) committed(now time.Duration, records int) bool {
	since := now - t.last
	t.last = now
	switch {
	case since < closely:
		t.busy += since
		t.observe(since, records)
	case t.phase != noPhase:
		t.begin(t.phase) // whatever came in between is not measured
	}
	return t.keep != (t.phase != noPhase && t.phase%2 == 1)
}

func (t *trial) observe(since time.Duration, records int) {
	if t.phase == noPhase {
		if t.busy >= againAfter {
			t.begin(0)
		}
		return
	}
	if t.busy-since < settleFor {
		return
	}
	t.measured, t.commits, t.records = t.measured+since, t.commits+1, t.records+records
	if t.measured < measureFor || t.commits < measureOf {
		return
	}
	rate := float64(t.records) / t.measured.Seconds()
	if t.phase%2 == 0 {
		t.before = rate
		t.begin(t.phase + 1)
		return
	}
	if t.isBetter(rate) {
		t.votes++
	}
	switch pairs := t.phase/2 + 1; {
	case t.votes == trialVotes:
		t.keep = !t.keep
		t.begin(noPhase)
	case t.votes == 0 || pairs-t.votes == trialVotes:
		t.begin(noPhase)
	default:
		t.begin(t.phase + 1)
	}
}

// isBetter says whether the other way, with its rate, is better than what was found before.
func (t *trial) isBetter(other float64) bool {
	if t.keep {
		return t.before < trialGain*other
	}
	return other >= trialGain*t.before
}

func (t *trial) begin(phase int) {
	if phase == noPhase {
		t.votes = 0
	}
	t.phase, t.busy, t.measured, t.commits, t.records = phase, 0, 0, 0, 0
}
