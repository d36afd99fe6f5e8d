package pgtap

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/rolltrace/rolltrace/schema"
)

// pileKeys is how many keys of a set a pile holds in memory; more are in a file that has no name.
const pileKeys = 64 << 10

// A pile is the electors of what a transaction has done, kept until it commits.
type pile struct {
	sets    []schema.IDSpace
	keys    [][]schema.Key
	unkeyed []uint64
	records uint64
	files   []*os.File // of each set; nil while it has none
	fault   error      // the file could not be written: then they are no longer known
}

func newPile(sets []schema.IDSpace) *pile {
	n := len(sets)
	return &pile{sets: slices.Clone(sets), keys: make([][]schema.Key, n), unkeyed: make([]uint64, n), files: make([]*os.File, n)}
}

// add takes what was read.
func (p *pile) add(keys [][]schema.Key, unkeyed []uint64, records uint64) {
	p.records += records
	for i := range p.sets {
		p.unkeyed[i] += unkeyed[i]
		p.keys[i] = append(p.keys[i], keys[i]...)
		if len(p.keys[i]) >= pileKeys {
			p.spill(i)
		}
	}
}

func (p *pile) spill(set int) {
	if p.fault == nil && p.files[set] == nil {
		if p.files[set], p.fault = os.CreateTemp("", "rolltrace-tap-"); p.fault == nil {
			p.fault = os.Remove(p.files[set].Name())
		}
	}
	if p.fault == nil {
		bytes := make([]byte, 0, 8*len(p.keys[set]))
		for _, k := range p.keys[set] {
			bytes = binary.LittleEndian.AppendUint64(bytes, uint64(k))
		}
		_, p.fault = p.files[set].Write(bytes)
	}
	p.keys[set] = p.keys[set][:0]
}

// take adds another pile of the same sets, which is of no use any more.
func (p *pile) take(other *pile) error {
	if other.fault != nil {
		p.fault = other.fault
	}
	p.records += other.records
	for i := range p.sets {
		p.unkeyed[i] += other.unkeyed[i]
		if err := other.each(i, func(keys []schema.Key) error {
			p.keys[i] = append(p.keys[i], keys...)
			if len(p.keys[i]) >= pileKeys {
				p.spill(i)
			}
			return p.fault
		}); err != nil {
			return err
		}
	}
	other.drop()
	return nil
}

// small says whether all of it is in memory.
func (p *pile) small() bool {
	return !slices.ContainsFunc(p.files, func(f *os.File) bool { return f != nil })
}

// each calls f with all keys of a set, in their order.
func (p *pile) each(set int, f func([]schema.Key) error) error {
	if p.fault != nil {
		return p.fault
	}
	if file := p.files[set]; file != nil {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("read keys again: %w", err)
		}
		bytes := make([]byte, 8*pileKeys)
		for {
			n, err := io.ReadFull(file, bytes)
			keys := make([]schema.Key, n/8)
			for i := range keys {
				keys[i] = schema.Key(binary.LittleEndian.Uint64(bytes[8*i:]))
			}
			if len(keys) > 0 {
				if err := f(keys); err != nil {
					return err
				}
			}
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				break
			}
			if err != nil {
				return fmt.Errorf("read keys again: %w", err)
			}
		}
	}
	return f(p.keys[set])
}

// drop gives up the files.
func (p *pile) drop() {
	if p == nil {
		return
	}
	for i, f := range p.files {
		if f != nil {
			_ = f.Close()
			p.files[i] = nil
		}
	}
}
