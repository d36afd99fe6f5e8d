package demo

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"

	"github.com/rolltrace/rolltrace/schema/schematest/roll"
)

// rows reads a file of people; the key is the identifier.
func rows(t *testing.T, path string) map[string][]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	all, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	people := map[string][]string{}
	for _, row := range all[1:] {
		if people[row[0]] != nil {
			t.Errorf("%s: %s is there twice", path, row[0])
		}
		people[row[0]] = row
	}
	return people
}

// The files of the story agree with each other, and no group is empty: a demo in which nothing differs
// would show nothing.
func TestFilesAgree(t *testing.T) {
	districts := roll.Districts()[3:4]
	folder := t.TempDir()
	for _, sub := range []string{"elections-office", "party-a"} {
		if err := os.Mkdir(filepath.Join(folder, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s := &stage{cfg: Config{Data: folder}, roll: roll.New(seed, districts...)}
	if err := s.files(newCast(s.roll)); err != nil {
		t.Fatal(err)
	}
	list, signUps, canvass := rows(t, s.path(listFile)), rows(t, s.path(signUpFile)), rows(t, s.path(canvassFile))
	known, lacking, pulled, cards := rows(t, s.path(knownFile)), rows(t, s.path(lackingFile)), rows(t, s.path(pulledFile)), rows(t, s.path(cardFile))
	if len(list) != districts[0].Electors {
		t.Errorf("the list has %d electors", len(list))
	}
	fromList, fromDoors, notFound := 0, 0, 0
	for id := range lacking {
		switch {
		case pulled[id] == nil:
			notFound++
		case list[id] != nil:
			fromList++
		case canvass[id] != nil:
			fromDoors++
		default:
			t.Errorf("%s: an address from nowhere", id)
		}
		if known[id] != nil {
			t.Errorf("%s: both known and lacking", id)
		}
	}
	if fromList == 0 || fromDoors == 0 || notFound == 0 || len(known) == 0 {
		t.Errorf("from the list %d, from doors %d, not found %d, known %d", fromList, fromDoors, notFound, len(known))
	}
	if len(pulled) != fromList+fromDoors || len(cards) != len(known)+len(pulled) {
		t.Errorf("pulled %d, cards %d", len(pulled), len(cards))
	}
	for id := range canvass {
		if list[id] != nil {
			t.Errorf("%s: canvassed, and on the list", id)
		}
	}
	for id, row := range cards {
		if row[3] == "" || signUps[id] == nil {
			t.Errorf("%s: %v", id, row)
		}
		if want := pulled[id]; want != nil && (row[3] != want[3] || list[id] != nil && row[3] != list[id][3]) {
			t.Errorf("%s: another address on the card list", id)
		}
	}
}
