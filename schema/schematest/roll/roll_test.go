package roll_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/schema/schematest/roll"
)

func TestDistrictsAreThoseOf2021(t *testing.T) {
	all := roll.Districts()
	if len(all) != 338 || roll.Count(all) != 27_509_496 {
		t.Errorf("have %d districts with %d electors", len(all), roll.Count(all))
	}
	if d := all[0]; d.Number != 10001 || d.Name != "Avalon" || d.Electors != 70903 || d.Stations != 230 {
		t.Errorf("first district: %+v", d)
	}
}

// Every record of a roll is well-formed CSV of eight columns, no identifier is there twice, and what
// Record and ID say is what WriteTo writes.
func TestRollIsWellFormedAndUnique(t *testing.T) {
	r := roll.New(1, roll.Districts()[:2]...)
	reader := csv.NewReader(r.Reader())
	reader.FieldsPerRecord = 8
	form := regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{8}$`)
	postal := regexp.MustCompile(`^Z\d[A-Z] \d[A-Z]\d$`)
	header, err := reader.Read()
	if err != nil || strings.Join(header, ",")+"\n" != roll.Header {
		t.Fatalf("header %v, %v", header, err)
	}
	seen := map[string]bool{}
	commas := 0
	for i := 0; ; i++ {
		row, err := reader.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if seen[row[0]] {
			t.Fatalf("record %d: identifier %s is there twice", i, row[0])
		}
		seen[row[0]] = true
		if !form.MatchString(row[0]) || !postal.MatchString(row[6]) {
			t.Fatalf("record %d: %v", i, row)
		}
		if strings.Contains(row[3], ",") {
			commas++
		}
		if i%9973 == 0 && (r.ID(i) != row[0] || !strings.HasPrefix(r.Record(i), row[0]+","+row[1]+",")) {
			t.Errorf("record %d: ID %s, Record %q, row %v", i, r.ID(i), r.Record(i), row)
		}
	}
	if len(seen) != r.Electors() || r.Electors() != 70903+59605 {
		t.Errorf("have %d records, want %d", len(seen), r.Electors())
	}
	if commas < len(seen)/5 {
		t.Errorf("%d of %d addresses have a comma", commas, len(seen))
	}
	for i := range 1000 {
		if seen[r.StrangerID(i)] {
			t.Errorf("stranger %d is on the roll", i)
		}
		if row, err := csv.NewReader(strings.NewReader(r.Stranger(i))).Read(); err != nil || len(row) != 8 || row[0] != r.StrangerID(i) {
			t.Errorf("stranger %d: %v, %v", i, row, err)
		}
	}
}

// The bytes are pinned: a demo's numbers, and benchmarks of different days, are about the same roll.
func TestRollIsAFunctionOfItsSeed(t *testing.T) {
	sum := func(r *roll.Roll) string {
		h := sha256.New()
		if _, err := r.WriteTo(h); err != nil {
			t.Fatal(err)
		}
		return hex.EncodeToString(h.Sum(nil))
	}
	labrador := roll.Districts()[3]
	const want = "f527fefb249b372b857d726e8c9f4d678470ff748e12d54ace589ed625b92570"
	if have := sum(roll.New(1, labrador)); have != want {
		t.Errorf("have %s, want %s", have, want)
	}
	if sum(roll.New(2, labrador)) == want {
		t.Error("another seed gives the same roll")
	}
	alone, among := roll.New(1, labrador), roll.New(1, roll.Districts()[:5]...)
	offset := roll.Count(roll.Districts()[:3])
	if alone.Record(7) != among.Record(offset+7) {
		t.Error("an elector's record depends on the districts around")
	}
}

// The permutation is one to one over its whole range as far as it can be tried: no two of 2^21 inputs,
// the national roll's last ones among them, share an identifier.
func TestIdentifiersAreUniqueNationally(t *testing.T) {
	r := roll.New(1, roll.Districts()...)
	seen := make(map[string]struct{}, 1<<20)
	for i := 0; i < r.Electors(); i += 29 {
		id := r.ID(i)
		if _, twice := seen[id]; twice {
			t.Fatalf("elector %d: %s is there twice", i, id)
		}
		seen[id] = struct{}{}
	}
}

func BenchmarkWrite(b *testing.B) {
	r := roll.New(1, roll.Districts()[:10]...)
	var out bytes.Buffer
	n, _ := r.WriteTo(&out)
	b.SetBytes(n)
	for b.Loop() {
		_, _ = r.WriteTo(io.Discard)
	}
}
