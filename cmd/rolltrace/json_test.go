package main

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/cmd/internal/demo"
	"github.com/rolltrace/rolltrace/cmd/internal/report"
	"github.com/rolltrace/rolltrace/consumers/deadletter"
	"github.com/rolltrace/rolltrace/consumers/policy"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// jsonNames adds the names of a type's JSON fields, and of the types in it.
func jsonNames(names map[string]bool, t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		jsonNames(names, t.Elem())
		return
	case reflect.Struct:
	default:
		return
	}
	if t == reflect.TypeFor[schema.Time]() {
		return
	}
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" {
			continue // not in the JSON
		}
		if name != "" {
			names[name] = true
		} else if !field.Anonymous && field.IsExported() {
			names["(no name: "+t.Name()+"."+field.Name+")"] = true
		}
		jsonNames(names, field.Type)
	}
}

// Every field of an answer is documented.
func TestEveryJSONFieldIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, answer := range []any{
		graph.Dossier{}, graph.Route{}, graph.Electors{}, graph.Reach{}, graph.Movements{}, graph.Copies{}, graph.Fields{}, graph.Flow{}, graph.Accounting{}, report.Elector{}, report.At{}, report.Movement{}, graph.Match{}, deadletter.Entry{}, demo.Report{}, policy.Answer{}, registryAnswer{},
		ruleAnswer{}, graph.FindingEvent{},
	} {
		jsonNames(names, reflect.TypeOf(answer))
	}
	if len(names) < 60 {
		t.Errorf("found %d fields", len(names))
	}
	for name := range names {
		if !strings.Contains(string(page), "`"+name+"`") && !strings.Contains(string(page), `"`+name+`"`) {
			t.Errorf("docs/json.md does not have %q", name)
		}
	}
}
