package registry

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema/document"
)

// Load reads every .yaml and .yml file in dir and below as parts of one registry, and checks it. The error is
// document.Faults with everything that is wrong, one line for each file and line, or what the file system said; there is no
// registry then.
func Load(dir string) (*Registry, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(path)) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the registry: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("read the registry: no .yaml file in %s", dir)
	}
	whole := &Registry{}
	var faults document.Faults
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the registry: %w", err)
		}
		var part Registry
		faults = append(faults, document.Decode(file, content, &part)...)
		whole.add(&part)
	}
	if faults = append(faults, whole.Check()...); len(faults) > 0 {
		faults.Sort()
		return nil, faults
	}
	whole.normalise()
	return whole, nil
}

func (r *Registry) add(part *Registry) {
	to, from := reflect.ValueOf(r).Elem(), reflect.ValueOf(part).Elem()
	for i := range to.NumField() {
		to.Field(i).Set(reflect.AppendSlice(to.Field(i), from.Field(i)))
	}
}

// MaxBytes bounds the normal form, in bytes: it travels as one message.
const MaxBytes = 500 << 10

// Normal is the one form of the registry, as JSON: lists in the order of their ids, nothing null.
func (r *Registry) Normal() ([]byte, error) {
	copied := *r
	copied.normalise()
	body, err := marshal(copied)
	if err == nil && len(body) > MaxBytes {
		err = fmt.Errorf("the registry takes %d bytes: want at most %d", len(body), MaxBytes)
	}
	return body, err
}

// Parse reads a normal form, and checks it. Its errors hold no values.
func Parse(normal []byte) (*Registry, error) {
	decoder := json.NewDecoder(bytes.NewReader(normal))
	decoder.DisallowUnknownFields()
	r := &Registry{}
	if err := decoder.Decode(r); err != nil {
		return nil, errors.New("registry: not of the form of this version")
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("registry: want one JSON object")
	}
	if faults := r.Check(); len(faults) > 0 {
		return nil, fmt.Errorf("registry: faults (%d): rolltrace registry validate names them", len(faults))
	}
	r.normalise()
	return r, nil
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// normalise sorts what has no order of its own, and makes empty lists of those that are nil.
func (r *Registry) normalise() {
	sorted(&r.Organisations, func(o Organisation) string { return o.ID })
	sorted(&r.Systems, func(s System) string { return s.ID })
	sorted(&r.Datasets, func(d Dataset) string { return d.Place })
	sorted(&r.People, func(p Person) string { return p.Place })
	sorted(&r.Purposes, func(p Purpose) string { return p.ID })
	sorted(&r.Sources, func(s Source) string { return s.ID })
	sorted(&r.Agreements, func(a Agreement) string { return a.ID })
	sorted(&r.Policies, func(p Policy) string { return p.Organisation })
	sorted(&r.Elections, func(e Election) string { return e.ID })
	for i := range r.Systems {
		texts(&r.Systems[i].Sources)
	}
	for i := range r.Datasets {
		texts(&r.Datasets[i].Sources)
	}
	for i := range r.People {
		texts(&r.People[i].Roles)
	}
	for i := range r.Sources {
		for j := range r.Sources[i].Permits {
			p := &r.Sources[i].Permits[j]
			texts(&p.To)
			texts(&p.Purposes)
		}
		sorted(&r.Sources[i].Permits, func(p Permit) string {
			return fmt.Sprintf("%s\n%s\n%t", strings.Join(p.To, " "), strings.Join(p.Purposes, " "), p.DuringElection)
		})
	}
	for i := range r.Agreements {
		a := &r.Agreements[i]
		texts(&a.Parties)
		texts(&a.Purposes)
		texts(&a.Fields)
		texts(&a.Onward)
	}
	for i := range r.Policies {
		p := &r.Policies[i]
		texts(&p.Purposes)
		texts(&p.Fields)
		texts(&p.Jurisdictions)
	}
}

func texts(list *[]string) { sorted(list, func(s string) string { return s }) }

// sorted makes a copy: what was given stays as it is.
func sorted[T any](list *[]T, by func(T) string) {
	out := append(make([]T, 0, len(*list)), *list...)
	slices.SortStableFunc(out, func(a, b T) int { return cmp.Compare(by(a), by(b)) })
	*list = out
}

// An Entry is one thing of a registry, for tables and for comparing.
type Entry struct {
	Section string // "organisations", "systems", …: the keys of the files
	ID      string // unique in its section
	Body    string // JSON, normal
}

// Entries is everything in the registry, section by section, in the order of ids.
func (r *Registry) Entries() []Entry {
	copied := *r
	copied.normalise()
	var entries []Entry
	v := reflect.ValueOf(copied)
	for i := range v.NumField() {
		section, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		for j := range v.Field(i).Len() {
			item := v.Field(i).Index(j)
			body, err := marshal(item.Interface())
			if err != nil {
				panic(fmt.Sprintf("write an entry of a registry: %v", err)) // texts, lists and truth values always can be
			}
			entries = append(entries, Entry{section, item.Field(0).String(), string(body)})
		}
	}
	return entries
}

// Digest is the SHA-256 of a normal form: two registries that say the same have the same.
func Digest(normal []byte) [32]byte { return sha256.Sum256(normal) }
