package roll

import (
	"fmt"
	"io"
	"sort"
	"strconv"
)

// Header is the first line of a roll, with its line break. The identifier is the first column, and never
// quoted, so that cut, sort and comm can work on it.
const Header = "elector_id,family_name,given_name,civic_address,municipality,province,postal_code,polling_division\n"

// A Roll is a list of electors of some districts. It is safe for concurrent use.
type Roll struct {
	permutation permutation
	words       *words
	parts       []part
	electors    int
}

// A part is one district of a roll.
type part struct {
	District
	start int // index of its first elector in this roll
	towns [8]string
	polls []string // ",10001-001\n"
}

// New is the roll of these districts, in this order.
func New(seed uint64, districts ...District) *Roll {
	r := &Roll{permutation: newPermutation(seed), words: newWords()}
	for _, d := range districts {
		p := part{District: d, start: r.electors, towns: d.towns(), polls: make([]string, max(d.Stations, 1))}
		for i := range p.polls {
			p.polls[i] = fmt.Sprintf(",%d-%03d\n", d.Number, i+1)
		}
		r.parts = append(r.parts, p)
		r.electors += d.Electors
	}
	return r
}

// Electors is the number of records of the roll.
func (r *Roll) Electors() int { return r.electors }

// ID is the identifier of elector i, from 0. It panics unless the roll has that many.
func (r *Roll) ID(i int) string {
	p := r.part(i)
	return string(r.permutation.appendID(nil, p.first+uint64(i-p.start)))
}

// Record is the line of elector i, with its line break. It panics unless the roll has that many.
func (r *Roll) Record(i int) string {
	p := r.part(i)
	return string(r.appendRecord(nil, p, i-p.start))
}

func (r *Roll) part(i int) *part {
	if i < 0 || i >= r.electors {
		panic(fmt.Sprintf("roll: elector %d of %d", i, r.electors))
	}
	after := sort.Search(len(r.parts), func(at int) bool { return r.parts[at].start > i })
	return &r.parts[after-1]
}

// StrangerID is an identifier that no roll of this seed has: somebody who is on no list. Different i give
// different ones, for i below 2^39.
func (r *Roll) StrangerID(i int) string {
	return string(r.permutation.appendID(nil, 1<<39+uint64(i)))
}

// Stranger is the record of somebody who is on no list, in the form of the roll, as if of the district
// of elector 0; it has no polling division.
func (r *Roll) Stranger(i int) string {
	record := r.appendFields(nil, &r.parts[0], 1<<39+uint64(i))
	return string(append(record, ',', '\n'))
}

// WriteTo writes the header and every record, in blocks of about 256 KiB. It ends at the first error of w,
// and returns the bytes that w took.
func (r *Roll) WriteTo(w io.Writer) (int64, error) {
	written := int64(0)
	block := make([]byte, 0, 256<<10+512)
	flush := func() error {
		n, err := w.Write(block)
		written += int64(n)
		block = block[:0]
		return err
	}
	block = append(block, Header...)
	for at := range r.parts {
		p := &r.parts[at]
		for i := range p.Electors {
			block = r.appendRecord(block, p, i)
			if len(block) >= 256<<10 {
				if err := flush(); err != nil {
					return written, err
				}
			}
		}
	}
	return written, flush()
}

// Reader is the whole roll as WriteTo writes it. Close it if it is not read to its end.
func (r *Roll) Reader() io.ReadCloser {
	read, write := io.Pipe()
	go func() {
		_, err := r.WriteTo(write)
		write.CloseWithError(err)
	}()
	return read
}

// appendRecord appends the record of the i-th elector of a district. Polling divisions follow each other,
// as they do in a real roll.
func (r *Roll) appendRecord(dst []byte, p *part, i int) []byte {
	dst = r.appendFields(dst, p, p.first+uint64(i))
	return append(dst, p.polls[i*len(p.polls)/p.Electors]...)
}

// appendFields appends everything but the polling division.
func (r *Roll) appendFields(dst []byte, p *part, index uint64) []byte {
	dice := mix(index*0x9e3779b97f4a7c15 ^ r.permutation[0])
	roll := func(n uint64) uint64 { v := dice % n; dice /= n; return v }

	dst = r.permutation.appendID(dst, index)
	dst = append(dst, ',')
	dst = append(dst, r.words.families[roll(1024)]...)
	dst = append(dst, r.words.givens[roll(1024)]...)
	street, number := roll(256), 1+roll(2048)
	if flat := roll(16); flat < 5 { // about every third lives in a flat: a quoted comma
		dst = append(dst, `"Apt `...)
		dst = strconv.AppendUint(dst, 1+flat*100+roll(64), 10)
		dst = append(dst, ", "...)
		dst = strconv.AppendUint(dst, number, 10)
		dst = append(dst, r.words.quoted[street]...)
	} else {
		dst = strconv.AppendUint(dst, number, 10)
		dst = append(dst, r.words.streets[street]...)
		roll(64)
	}
	dst = append(dst, p.towns[roll(8)]...)
	return append(dst, '0'+byte(roll(8)), 'A'+byte(roll(16)), '0'+byte(roll(8)))
}
