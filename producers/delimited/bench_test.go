package delimited

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// rollLike is about size bytes of an invented roll, in lines of about 70 bytes.
func rollLike(size int, line string) []byte {
	var text bytes.Buffer
	text.WriteString("elector_id,last_name,first_name,address,city,province,postal_code,poll\n")
	for i := 0; text.Len() < size; i++ {
		fmt.Fprintf(&text, line, 10_000_000+i*7919%89_999_999, i%10, i%1000, i%500)
	}
	return text.Bytes()
}

// BenchmarkScanner times the scan of a 4 MiB block of a roll against bytes.Count(block, '\n'), which does
// nothing but look at every byte, interleaved in one run: "x_count" is the ratio of the times.
func BenchmarkScanner(b *testing.B) {
	const typical = "%d,Example%d,Ada,%d Invented Street,Ottawa,ON,K1A 0B1,%d\n"
	for _, test := range []struct {
		name, line string
		columns    []string
	}{
		{"first column", typical, []string{"1"}},
		{"last column", typical, []string{"8"}},
		{"two columns", typical, []string{"1", "7"}},
		{"counted", typical, nil},
		{"a quoted field", "%d,Example%d,Ada,\"%d Invented Street, Apt 5\",Ottawa,ON,K1A 0B1,%d\n", []string{"1"}},
		{"all quoted", `"%d","Example%d","Ada","%d Invented Street","Ottawa","ON","K1A 0B1","%d"` + "\n", []string{"1"}},
		{"all quoted, last", `"%d","Example%d","Ada","%d Invented Street","Ottawa","ON","K1A 0B1","%d"` + "\n", []string{"8"}},
	} {
		b.Run(strings.ReplaceAll(test.name, " ", "_"), func(b *testing.B) {
			text := rollLike(4<<20, test.line)
			var rows Rows
			var scanning, counting time.Duration
			rounds := 0
			for b.Loop() {
				rounds++
				s, err := NewScanner(Config{Columns: test.columns})
				if err != nil {
					b.Fatal(err)
				}
				rows.Reset()
				start := time.Now()
				if n, err := s.Scan(text, true, &rows); err != nil || n != len(text) {
					b.Fatal(n, err)
				}
				scanned := time.Now()
				lines := bytes.Count(text, []byte{'\n'})
				counting += time.Since(scanned)
				scanning += scanned.Sub(start)
				if lines != rows.Records+1 {
					b.Fatalf("%d records in %d lines", rows.Records, lines)
				}
			}
			bytes := float64(rounds * len(text))
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(bytes/scanning.Seconds()/1e9, "GB/s")
			b.ReportMetric(scanning.Seconds()/counting.Seconds(), "x_count")
		})
	}
}
