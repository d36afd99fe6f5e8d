package roll

// alphabet is Crockford's base 32: no I, L, O, U, which are taken for something else when read out.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// permutation maps the numbers below 2^40 one to one onto themselves: a Feistel network of four rounds
// over halves of 20 bits. That it is one to one is what makes identifiers unique.
type permutation [4]uint64

const (
	half     = 20
	halfMask = 1<<half - 1
)

func newPermutation(seed uint64) permutation {
	var p permutation
	for i := range p {
		seed += 0x9e3779b97f4a7c15
		p[i] = mix(seed)
	}
	return p
}

func (p *permutation) of(n uint64) uint64 {
	left, right := n>>half&halfMask, n&halfMask
	for _, key := range p {
		left, right = right, left^mix(right^key)>>44
	}
	return left<<half | right
}

// mix is the finaliser of splitmix64: every bit of n changes every bit of the result.
func mix(n uint64) uint64 {
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// appendID appends the identifier of the elector with this index in the national roll, such as "7KQ42MXR".
func (p *permutation) appendID(dst []byte, index uint64) []byte {
	n := p.of(index)
	return append(dst,
		alphabet[n>>35&31], alphabet[n>>30&31], alphabet[n>>25&31], alphabet[n>>20&31],
		alphabet[n>>15&31], alphabet[n>>10&31], alphabet[n>>5&31], alphabet[n&31])
}
