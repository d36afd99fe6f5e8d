package graph

import "testing"

func TestNumbersInNotesAreGrouped(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 records", 1: "1 record", 999: "999 records", 1000: "1,000 records", 27_509_496: "27,509,496 records"} {
		if have := plural(n, "record"); have != want {
			t.Errorf("%d is written %q, want %q", n, have, want)
		}
	}
}
