package graph

import "math"

// evidence is by how many bits a copy explains a found list better than chance does: the logarithm of a ratio of
// likelihoods (Dunning, "Accurate Methods for the Statistics of Surprise and Coincidence", Computational Linguistics 19(1),
// 1993). The list has found different identifiers, matched of them in the copy of size electors, out of population. Either
// each was drawn from everybody, with probability 1/population; or each came from the copy with probability
// q = matched/found, as any of its electors, and from everybody otherwise:
//
//	matched·log₂(population/size) − found·H(q),    H(q) = −q·log₂q − (1−q)·log₂(1−q)
//
// A small copy that has all of the list beats a large one; one that lacks a few strangers beats the roll, which has
// everybody; a part of the copy, and more than the copy, fall behind it. It is 0 for a copy of everybody, and below 0 for
// one that has no more of the list than of everybody.
func evidence(population, size, found, matched uint64) float64 {
	if matched == 0 {
		return 0
	}
	q := float64(matched) / float64(found)
	entropy := 0.0
	if matched < found {
		entropy = -q*math.Log2(q) - (1-q)*math.Log2(1-q)
	}
	return float64(matched)*math.Log2(float64(population)/float64(size)) - float64(found)*entropy
}

// chance is the decimal logarithm of the probability that a list of found electors, drawn by chance out of a population,
// has at least matched of the size electors of a copy: the upper tail of the hypergeometric distribution (Chvátal, "The
// tail of the hypergeometric distribution", Discrete Mathematics 25, 1979). Electors are not drawn by chance, they live
// in districts: it says how much there is to explain, and not how likely a copy is.
func chance(population, size, found, matched uint64) float64 {
	least := uint64(0) // that a list can have
	if size+found > population {
		least = size + found - population
	}
	if matched <= least {
		return 0
	}
	n, c, f, k := float64(population), float64(size), float64(found), float64(matched)
	// probability of exactly x, as a logarithm
	exactly := func(x float64) float64 {
		return choose(c, x) + choose(n-c, f-x) - choose(n, f)
	}
	if k > f*c/n { // beyond the mean terms fall: add them up from k on
		sum, term := 1.0, 1.0
		for x := k; x < math.Min(c, f) && term > sum*1e-17; x++ {
			term *= (c - x) * (f - x) / ((x + 1) * (n - c - f + x + 1))
			sum += term
		}
		return math.Min(0, (exactly(k)+math.Log(sum))/math.Ln10)
	}
	// Before it: all but the lower tail.
	sum, term := 1.0, 1.0
	for x := k - 1; x > float64(least) && term > sum*1e-17; x-- {
		term *= x * (n - c - f + x) / ((c - x + 1) * (f - x + 1))
		sum += term
	}
	return math.Min(0, math.Log1p(-math.Min(0.999, math.Exp(exactly(k-1))*sum))/math.Ln10)
}

// choose is the natural logarithm of a binomial coefficient.
func choose(n, k float64) float64 {
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(n - k + 1)
	return a - b - c
}

// rounded is a number to so many decimals: an answer is the same whatever the processor.
func rounded(x float64, decimals int) float64 {
	scale := math.Pow10(decimals)
	return math.Round(x*scale)/scale + 0 // no -0
}
