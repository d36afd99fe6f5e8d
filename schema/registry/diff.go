package registry

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// A Change is one thing that differs between two registries.
type Change struct {
	What    string   `json:"what"` // "added", "removed", "changed"
	Section string   `json:"section"`
	ID      string   `json:"id"`
	Fields  []string `json:"fields"` // what changed in it: "end: \"2019-12-31\" → \"2020-12-31\""; never null
}

// Diff is what has to change for the first registry to become the second, section by section, in the order of ids. Nil
// stands for a registry with nothing in it.
func Diff(from, to *Registry) []Change {
	was, is := entries(from), entries(to)
	order := []Entry{}
	if to != nil {
		order = append(order, to.Entries()...)
	}
	if from != nil {
		for _, e := range from.Entries() {
			if _, stays := is[e.Section+"\n"+e.ID]; !stays {
				order = append(order, e)
			}
		}
	}
	changes := []Change{}
	for _, e := range order {
		key := e.Section + "\n" + e.ID
		before, had := was[key]
		after, has := is[key]
		switch {
		case had && has && before == after:
		case had && has:
			changes = append(changes, Change{"changed", e.Section, e.ID, fields(before, after)})
		case has:
			changes = append(changes, Change{"added", e.Section, e.ID, []string{}})
		default:
			changes = append(changes, Change{"removed", e.Section, e.ID, []string{}})
		}
	}
	slices.SortStableFunc(changes, func(a, b Change) int {
		if a.Section != b.Section {
			return strings.Compare(a.Section, b.Section)
		}
		return strings.Compare(a.ID, b.ID)
	})
	return changes
}

func entries(r *Registry) map[string]string {
	out := map[string]string{}
	if r != nil {
		for _, e := range r.Entries() {
			out[e.Section+"\n"+e.ID] = e.Body
		}
	}
	return out
}

// fields are the keys of two JSON objects whose values differ.
func fields(before, after string) []string {
	var was, is map[string]json.RawMessage
	_ = json.Unmarshal([]byte(before), &was) // both were written by Entries
	_ = json.Unmarshal([]byte(after), &is)
	out := []string{}
	for _, key := range slices.Sorted(maps.Keys(is)) {
		if !bytes.Equal(was[key], is[key]) {
			out = append(out, key+": "+string(was[key])+" → "+string(is[key]))
		}
	}
	return out
}
