package pgtap

import "time"

const (
	// maxStay is how long a batch stays for more results at most; and no longer than two commits.
	maxStay = time.Millisecond
	// maxLate bounds how many commits in a row wait for nobody after results did not come: 2 to the power of it.
	maxLate = 6
)

// A gathering says how long what waits for the disk stays for more. Clients that ask one thing after another get their rows together,
// when a commit is done, and ask again together. If the first to come back took the disk, the others would wait for that
// commit and then for their own; so three quarters of them are waited for, who come back within a fraction of a commit. Half as
// many commits cost the processors half as much, too. Where they do not come back, because they have other things to do, it is tried
// ever more seldom.
type gathering struct {
	want  int       // results that a batch goes with at once
	until time.Time // nobody is waited for after
	late  int       // how often they were not there, beyond how often they were; at most maxLate
	rest  int       // commits that wait for nobody
}

// landed is told of a commit: how many results it was for, and how many have come meanwhile, how long it took, and when it ended.
func (g *gathering) landed(results int, took time.Duration, now time.Time) {
	if g.want = 0; g.rest > 0 {
		g.rest--
		return
	}
	g.want, g.until = (3*results+3)/4, now.Add(min(2*took, maxStay))
}

// stay is how long a batch of so many results stays for more: 0 when it goes.
func (g *gathering) stay(results int, now time.Time) time.Duration {
	if results >= g.want {
		return 0
	}
	return max(g.until.Sub(now), 0)
}

// came says that a batch which stayed is complete.
func (g *gathering) came() { g.late = max(g.late-1, 0) }

// waited says that one stayed for nothing.
func (g *gathering) waited() {
	g.late = min(g.late+1, maxLate)
	g.rest = 1 << g.late
}
