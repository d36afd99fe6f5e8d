package found

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/producers/delimited"
	"github.com/rolltrace/rolltrace/producers/pseudonym"
	"github.com/rolltrace/rolltrace/schema"
)

// A list gives the same keys whether they fit into memory or not.
func TestList(t *testing.T) {
	secret := pseudonym.NewSecret()
	var text strings.Builder
	text.WriteString("name,elector_id\n")
	unique := map[schema.Key]bool{}
	const rows = 20_000
	for i := range rows {
		id := fmt.Sprintf("AB%06d", i*7919%13_000)
		if i%100 == 0 {
			id = ""
		} else {
			key, _ := secret.Space(schema.ElectorID).Key([]byte(id))
			unique[key] = true
		}
		fmt.Fprintf(&text, "Invented,%s\n", id)
	}
	var want []schema.Key
	for key := range unique {
		want = append(want, key)
	}
	slices.Sort(want)
	for _, room := range []int{64, 3000, 1 << 20} {
		config := delimited.Config{Columns: []string{"elector_id"}}
		l, err := read(t.Context(), strings.NewReader(text.String()), config, secret.Space(schema.ElectorID), room)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if l.Records != rows || l.Unkeyed != rows/100 {
			t.Errorf("room for %d: %d records, %d without identifier", room, l.Records, l.Unkeyed)
		}
		if spilled := l.spill != nil; spilled != (room < rows) {
			t.Errorf("room for %d: on disk %v", room, spilled)
		}
		for range 2 { // they can be read again
			var got []schema.Key
			for batch, err := range l.Batches(1000) {
				if err != nil {
					t.Fatal(err)
				}
				if len(batch) == 0 || len(batch) > 1000 {
					t.Errorf("room for %d: a batch of %d", room, len(batch))
				}
				got = append(got, batch...)
			}
			if !slices.Equal(got, want) {
				t.Errorf("room for %d: have %d keys, want %d", room, len(got), len(want))
			}
		}
	}
}

func TestListThatCannotBeRead(t *testing.T) {
	secret := pseudonym.NewSecret()
	for text, want := range map[string]string{
		"":                              "the input is empty",
		"a,b\n1,2\n":                    `id column "elector_id"`,
		"elector_id\n\"AB12\n":          "a quote that is never closed",
		"\xff\xfee\x00\n\x00A\x00B\x00": "UTF-16",
	} {
		_, err := Read(t.Context(), strings.NewReader(text), delimited.Config{Columns: []string{"elector_id"}}, secret.Space(schema.ElectorID))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "AB12") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
