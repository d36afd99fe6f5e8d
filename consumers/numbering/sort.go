package numbering

import "math/bits"

// sortKeys sorts keys in a time that nobody can make long by choosing them. Random keys are in order after the
// topmost bits that they differ in, save a few neighbours; where that does not hold, all bits are sorted.
func sortKeys(keys, buffer []uint64) {
	const enough = 22
	differ := difference(keys)
	top := bits.Len64(differ)
	if top > 2*enough {
		sortBits(keys, buffer, differ, top-enough, top)
		if insert(keys) {
			return
		}
	}
	sortBits(keys, buffer, differ, 0, top)
}

// sortNumbers sorts numbers.
func sortNumbers(numbers, buffer []uint32) {
	differ := difference(numbers)
	sortBits(numbers, buffer, differ, 0, bits.Len32(differ))
}

// difference has the bits set in which values differ.
func difference[T uint32 | uint64](values []T) T {
	all, some := ^T(0), T(0)
	for _, v := range values {
		all &= v
		some |= v
	}
	return some &^ all
}

// sortBits sorts by the bits [low, high), digit by digit from below, with a buffer as long as values. A digit that
// is the same in all values is left out.
func sortBits[T uint32 | uint64](values, buffer []T, differ T, low, high int) {
	const widest = 11
	if low >= high {
		return
	}
	digits := (high - low + widest - 1) / widest
	width := (high - low + digits - 1) / digits
	mask := T(1)<<width - 1
	from, to := values, buffer[:len(values)]
	var starts [1 << widest]uint32
	for shift := low; shift < high; shift += width {
		if differ>>shift&mask == 0 {
			continue
		}
		clear(starts[:])
		for _, v := range from {
			starts[v>>shift&mask]++
		}
		next := uint32(0)
		for i, n := range starts {
			starts[i] = next
			next += n
		}
		for _, v := range from {
			d := v >> shift & mask
			to[starts[d]] = v
			starts[d]++
		}
		from, to = to, from
	}
	if &from[0] != &values[0] {
		copy(values, from)
	}
}

// insert sorts values that are almost in order, or gives up and says false.
func insert(values []uint64) bool {
	moves := 0
	for i := 1; i < len(values); i++ {
		v := values[i]
		j := i
		for ; j > 0 && values[j-1] > v; j-- {
			values[j] = values[j-1]
		}
		values[j] = v
		if moves += i - j; moves > len(values) {
			return false
		}
	}
	return true
}
