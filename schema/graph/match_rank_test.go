package graph

import (
	"math"
	"math/big"
	"testing"
)

// chance is the upper tail of the hypergeometric distribution, counted out.
func TestChance(t *testing.T) {
	for _, n := range []int64{1, 2, 7, 30, 61} {
		for c := int64(1); c <= n; c += 1 + n/7 {
			for f := int64(1); f <= n; f += 1 + n/9 {
				for k := max(1, c+f-n); k <= min(c, f); k++ {
					sum := new(big.Int)
					for x := k; x <= min(c, f); x++ {
						if f-x <= n-c {
							sum.Add(sum, new(big.Int).Mul(new(big.Int).Binomial(c, x), new(big.Int).Binomial(n-c, f-x)))
						}
					}
					exact, _ := new(big.Rat).SetFrac(sum, new(big.Int).Binomial(n, f)).Float64()
					if got := chance(uint64(n), uint64(c), uint64(f), uint64(k)); math.Abs(got-math.Log10(exact)) > 1e-9 {
						t.Fatalf("%d of %d, out of %d, in a copy of %d: have %g, want %g", k, f, n, c, got, math.Log10(exact))
					}
				}
			}
		}
	}
	// Sizes of a national roll: a district of 80,000 found whole, and all of the roll but one.
	if got := chance(27_509_496, 80_000, 80_000, 80_000); math.Abs(got+236_000) > 4000 || math.IsInf(got, 0) {
		t.Errorf("a district: 10^%g", got)
	}
	if got := chance(27_509_496, 27_509_495, 27_509_495, 27_509_494); got != 0 {
		t.Errorf("all but one: 10^%g", got)
	}
}

func TestEvidence(t *testing.T) {
	const roll, list = 27_509_496, 1000
	better := func(why string, x, y float64) {
		t.Helper()
		if x <= y {
			t.Errorf("%s: %g is not more than %g", why, x, y)
		}
	}
	whole := evidence(roll, list, list, list)
	better("the copy itself than a larger one", whole, evidence(roll, 2*list, list, list))
	better("the copy itself than nine tenths of it", whole, evidence(roll, list*9/10, list, list*9/10))
	better("the copy itself than one with a hundredth more", whole, evidence(roll, list*101/100, list, list))
	better("a copy that lacks some strangers than the roll", evidence(roll, list, list, list-10), evidence(roll, roll, list, list))
	// The roll but for one district is a part of the roll, and no sum of its districts.
	better("the roll", evidence(roll, roll, roll-80_000, roll-80_000), evidence(roll, 80_000, roll-80_000, 80_000))
	if got := evidence(roll, roll, list, list); got != 0 {
		t.Errorf("everybody: %g", got)
	}
	if got := evidence(roll, list, list, 0); got != 0 {
		t.Errorf("nobody: %g", got)
	}
}
