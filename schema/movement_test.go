package schema

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func mustTime(s string) Time {
	t, err := ParseTime(s)
	if err != nil {
		panic(err)
	}
	return t
}

// good is a movement without a fault: the example of the design, section 4.1.
func good() *Movement {
	return &Movement{
		ID: "0199b0c2-7f3e-7c1a-9d58-3f1c6f1b2a90", Revision: 2, State: Closed, Outcome: Completed, Kind: Share, Basis: Observed,
		OccurredAt: mustTime("2026-04-01T12:00:00.123456Z"), ClosedAt: mustTime("2026-04-01T12:03:10Z"), RecordedAt: mustTime("2026-04-01T12:03:10.000131Z"),
		Inputs: []Input{{Place: "party-a/crm/voters", Fields: []string{"name", "civic_address"}}},
		Output: "acme-mail/uploads/2026-04-01.csv",
		Actor:  "party-a/people/u0412", RecordedBy: RecordedBy{User: "batch", Host: "field-db-1"},
		Purpose: "communicate", Agreement: "acme-2026", Fields: []string{"name", "civic_address"},
		Electors: Electors{Mode: Listed, Records: 81234, Sets: []Set{{
			IDSpace: ElectorID, KeyID: "k-5f2a9c01", Keys: 81230, Unkeyed: 4, Chunks: 2, Digest: "sha256:" + strings.Repeat("0f", 32),
		}}},
		Evidence: Evidence{MAC: "aes-cmac:" + strings.Repeat("0f", 16), Bytes: 9312331, Statement: "COPY … WHERE poll = ?"},
		Producer: Producer{Org: "party-a", Sidecar: "field-db-1", Instance: "b7e1f0c2", Sequence: 4711, Previous: "sha256:" + strings.Repeat("0f", 32), Version: "0.1.0"},
	}
}

func TestValidate(t *testing.T) {
	places := func(n int) []Input {
		in := make([]Input, n)
		for i := range in {
			in[i].Place = Place("party-b/crm/list-" + strings.Repeat("x", i+1))
		}
		return in
	}
	names := func(n int) []string { return strings.Split(strings.Repeat(",field", n)[1:], ",") }
	set := func(m *Movement) *Set { return &m.Electors.Sets[0] }
	for _, tc := range []struct {
		name   string
		change func(*Movement)
		faults []string // the fields at fault, in order; none if it is well formed
	}{
		{"the example", func(*Movement) {}, nil},

		{"no id", func(m *Movement) { m.ID = "" }, []string{"id"}},
		{"UUIDv4", func(m *Movement) { m.ID = "0199b0c2-7f3e-4c1a-9d58-3f1c6f1b2a90" }, []string{"id"}},
		{"id in upper case", func(m *Movement) { m.ID = strings.ToUpper(m.ID) }, []string{"id"}},
		{"id and a line break", func(m *Movement) { m.ID += "\n" }, []string{"id"}},
		{"revision 0", func(m *Movement) { m.Revision = 0 }, []string{"revision"}},
		{"greatest revision", func(m *Movement) { m.Revision = 1<<32 - 1 }, nil},

		{"no state", func(m *Movement) { m.State = "" }, []string{"state"}},
		{"open", func(m *Movement) { m.State, m.Outcome, m.ClosedAt, set(m).Digest = Open, "", Time{}, "" }, nil},
		{"open with an outcome", func(m *Movement) { m.State, m.ClosedAt = Open, Time{} }, []string{"outcome"}},
		{"open with an end", func(m *Movement) { m.State, m.Outcome = Open, "" }, []string{"closed_at"}},
		{"closed without an outcome", func(m *Movement) { m.Outcome = "" }, []string{"outcome"}},
		{"unknown outcome", func(m *Movement) { m.Outcome = "done" }, []string{"outcome"}},
		{"failed", func(m *Movement) { m.Outcome = Failed }, nil},
		{"retracted", func(m *Movement) { m.Outcome, m.Basis, m.Reason = Retracted, Declared, "entered twice" }, nil},
		{"retracted without a reason", func(m *Movement) { m.Outcome, m.Basis = Retracted, Attested }, []string{"reason"}},
		{"retracted though observed", func(m *Movement) { m.Outcome, m.Reason = Retracted, "entered twice" }, []string{"outcome"}},

		{"later kind", func(m *Movement) { m.Kind = "enclave_join" }, nil},
		{"no kind", func(m *Movement) { m.Kind = "" }, []string{"kind"}},
		{"kind in upper case", func(m *Movement) { m.Kind = "Share" }, []string{"kind"}},
		{"longest kind", func(m *Movement) { m.Kind = Kind(strings.Repeat("k", 32)) }, nil},
		{"too long a kind", func(m *Movement) { m.Kind = Kind(strings.Repeat("k", 33)) }, []string{"kind"}},
		{"unknown basis", func(m *Movement) { m.Basis = "heard" }, []string{"basis"}},

		{"no times", func(m *Movement) { m.OccurredAt, m.RecordedAt, m.ClosedAt = Time{}, Time{}, Time{} }, []string{"occurred_at", "recorded_at", "closed_at"}},
		{"first time", func(m *Movement) { m.OccurredAt = mustTime(MinTime) }, nil},
		{"before the first time", func(m *Movement) { m.OccurredAt = At(mustTime(MinTime).Add(-1000)) }, []string{"occurred_at"}},
		{"last time", func(m *Movement) { m.ClosedAt = At(mustTime(MaxTime).Add(-1000)) }, nil},
		{"after the last time", func(m *Movement) { m.ClosedAt = mustTime(MaxTime) }, []string{"closed_at"}},
		{"year 19000", func(m *Movement) { m.RecordedAt = At(mustTime(MinTime).AddDate(17100, 0, 0)) }, []string{"recorded_at"}},
		{"closed at once", func(m *Movement) { m.ClosedAt = m.OccurredAt }, nil},
		{"closed before it began", func(m *Movement) { m.ClosedAt = At(m.OccurredAt.Add(-1000)) }, []string{"closed_at"}},
		{"recorded before it began", func(m *Movement) { m.RecordedAt = mustTime("2020-01-01") }, nil},

		{"no inputs", func(m *Movement) { m.Inputs = nil }, []string{"inputs"}},
		{"most inputs", func(m *Movement) { m.Inputs = places(MaxInputs) }, nil},
		{"too many inputs", func(m *Movement) { m.Inputs = places(MaxInputs + 1) }, []string{"inputs"}},
		{"an input twice", func(m *Movement) { m.Inputs = append(m.Inputs, m.Inputs[0]) }, []string{"inputs[1].place"}},
		{"malformed input", func(m *Movement) { m.Inputs[0].Place = "party-a/CRM/voters" }, []string{"inputs[0].place (system)"}},
		{"malformed field of an input", func(m *Movement) { m.Inputs[0].Fields[1] = "Civic Address" }, []string{"inputs[0].fields[1]"}},
		{"no output", func(m *Movement) { m.Output = "" }, []string{"output"}},
		{"malformed output", func(m *Movement) { m.Output = "Acme/UP/x y" }, []string{"output (organisation)", "output (system)", "output (dataset)"}},
		{"share within an organisation", func(m *Movement) { m.Output = "party-a/files/x.csv" }, []string{"output"}},
		{"share of another's place too", func(m *Movement) { m.Inputs = append(m.Inputs, Input{Place: "acme-mail/crm/x"}) }, nil},
		{"merge of one", func(m *Movement) { m.Kind = Merge }, []string{"inputs"}},
		{"merge of two", func(m *Movement) { m.Kind, m.Inputs = Merge, places(2) }, nil},
		{"destroy", func(m *Movement) { m.Kind, m.Output = Destroy, "" }, nil},
		{"destroy with an output", func(m *Movement) { m.Kind = Destroy }, []string{"output"}},
		{"destroy of two", func(m *Movement) { m.Kind, m.Output, m.Inputs = Destroy, "", places(2) }, []string{"inputs"}},
		{"destroy of none", func(m *Movement) { m.Kind, m.Output, m.Inputs = Destroy, "", nil }, []string{"inputs"}},

		{"empty labels", func(m *Movement) { m.Actor, m.Purpose, m.Agreement, m.RecordedBy = "", "", "", RecordedBy{} }, nil},
		{"longest label", func(m *Movement) { m.Purpose = strings.Repeat("p", MaxLabel) }, nil},
		{"malformed labels", func(m *Movement) {
			m.Actor, m.RecordedBy.User, m.RecordedBy.Host, m.Purpose = " x", "a\nb", "é", strings.Repeat("p", MaxLabel+1)
			m.Agreement, m.LegalBasis, m.Exercise = "-", "a;b", "\x00"
		}, []string{"actor", "recorded_by.user", "recorded_by.host", "purpose", "agreement", "legal_basis", "exercise"}},
		{"longest reason", func(m *Movement) { m.Reason = strings.Repeat("r", MaxText) }, nil},
		{"too long a reason", func(m *Movement) { m.Reason = strings.Repeat("r", MaxText+1) }, []string{"reason"}},
		{"reason of half a letter", func(m *Movement) { m.Reason = "\xc3" }, []string{"reason"}},
		{"most fields", func(m *Movement) { m.Fields = names(MaxFields) }, nil},
		{"too many fields", func(m *Movement) { m.Fields = names(MaxFields + 1) }, []string{"fields"}},
		{"malformed fields", func(m *Movement) { m.Fields = []string{"name", "", "Name", strings.Repeat("f", 64)} }, []string{"fields[1]", "fields[2]", "fields[3]"}},

		{"unknown mode", func(m *Movement) { m.Electors.Mode = "guessed" }, []string{"electors.mode", "electors.sets"}},
		{"counted", func(m *Movement) { m.Electors = Electors{Mode: Counted, Records: 7} }, nil},
		{"whole", func(m *Movement) { m.Electors = Electors{Mode: Whole} }, nil},
		{"whole with sets", func(m *Movement) { m.Electors.Mode = Whole }, []string{"electors.sets"}},
		{"listed without sets", func(m *Movement) { m.Electors.Sets = nil }, []string{"electors.sets"}},
		{"most sets", func(m *Movement) { m.Electors.Sets = slices.Repeat(m.Electors.Sets, MaxSets) }, nil},
		{"too many sets", func(m *Movement) { m.Electors.Sets = slices.Repeat(m.Electors.Sets, MaxSets+1) }, []string{"electors.sets"}},
		{"most records", func(m *Movement) { m.Electors.Records, set(m).Unkeyed, m.Evidence.Bytes = MaxCount, MaxCount, MaxCount }, nil},
		{"too many records", func(m *Movement) {
			m.Electors.Records, set(m).Unkeyed, m.Evidence.Bytes = MaxCount+1, MaxCount+1, MaxCount+1
		},
			[]string{"electors.records", "electors.sets[0].unkeyed", "evidence.bytes"}},
		{"malformed set", func(m *Movement) { *set(m) = Set{IDSpace: "Email", KeyID: "k-1", Digest: "sha256:1"} },
			[]string{"electors.sets[0].id_space", "electors.sets[0].key_id", "electors.sets[0].digest"}},
		{"closed set without a digest", func(m *Movement) { set(m).Digest = "" }, []string{"electors.sets[0].digest"}},
		{"full chunks", func(m *Movement) { set(m).Keys, set(m).Chunks = 2*MaxChunkKeys, 2 }, nil},
		{"more keys than fit", func(m *Movement) { set(m).Keys, set(m).Chunks = 2*MaxChunkKeys+1, 2 }, []string{"electors.sets[0].keys"}},
		{"fewer keys than chunks", func(m *Movement) { set(m).Keys, set(m).Chunks = 1, 2 }, []string{"electors.sets[0].chunks"}},
		{"most chunks", func(m *Movement) { set(m).Keys, set(m).Chunks = MaxChunks, MaxChunks }, nil},
		{"too many chunks", func(m *Movement) { set(m).Keys, set(m).Chunks = MaxChunks+1, MaxChunks+1 }, []string{"electors.sets[0].chunks"}},
		{"no electors", func(m *Movement) { set(m).Keys, set(m).Chunks = 0, 0 }, nil},

		{"no evidence", func(m *Movement) { m.Evidence = Evidence{} }, nil},
		{"malformed evidence", func(m *Movement) {
			m.Evidence = Evidence{MAC: "md5:00", Statement: strings.Repeat("s", MaxText+1), Document: "contract.pdf"}
		}, []string{"evidence.mac", "evidence.document", "evidence.statement"}},
		{"HMAC", func(m *Movement) { m.Evidence.MAC = "hmac-sha256:" + strings.Repeat("0f", 32) }, nil},

		{"no producer", func(m *Movement) { m.Producer = Producer{} }, []string{"producer.org", "producer.sidecar", "producer.instance", "producer.sequence"}},
		{"first message", func(m *Movement) { m.Producer.Sequence, m.Producer.Previous, m.Producer.Version = 1, "", "" }, nil},
		{"last message", func(m *Movement) { m.Producer.Sequence = MaxCount }, nil},
		{"malformed producer", func(m *Movement) {
			m.Producer = Producer{Org: "Party", Sidecar: "a.b", Instance: "a_b", Sequence: MaxCount + 1, Previous: "x", Version: "\t"}
		}, []string{"producer.org", "producer.sidecar", "producer.instance", "producer.sequence", "producer.previous", "producer.version"}},
	} {
		m := good()
		tc.change(m)
		err := m.Validate()
		if (err == nil) != (tc.faults == nil) {
			t.Errorf("%s: %v, want faults of %v", tc.name, err, tc.faults)
			continue
		}
		faults, _ := err.(Faults)
		var fields []string
		for _, f := range faults {
			fields = append(fields, f.Field)
			if f.Limit == "" {
				t.Errorf("%s: %s: no limit", tc.name, f.Field)
			}
		}
		if !slices.Equal(fields, tc.faults) {
			t.Errorf("%s: faults of %v, want %v (%v)", tc.name, fields, tc.faults, err)
		}
	}
}

// The empty movement names every field that it lacks.
func TestValidateNothing(t *testing.T) {
	err := new(Movement).Validate()
	for _, field := range []string{"id", "revision", "state", "kind", "basis", "occurred_at", "recorded_at", "inputs", "output", "electors.mode", "producer.org"} {
		if err == nil || !strings.Contains(err.Error(), field+": ") {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
}

// However much is wrong, the faults stay few.
func TestValidateIsBounded(t *testing.T) {
	m := good()
	m.Inputs, m.Fields, m.Electors.Sets = make([]Input, 100000), make([]string, 100000), make([]Set, 100000)
	faults, _ := m.Validate().(Faults)
	if len(faults) > 1000 {
		t.Errorf("%d faults", len(faults))
	}
}

func TestFaultsAreRedacted(t *testing.T) {
	const secret = "7KAB4931"
	m := good()
	m.ID, m.Kind, m.Basis, m.State, m.Outcome = secret, secret, secret, secret, secret
	m.Inputs = []Input{{Place: secret, Fields: []string{secret}}, {Place: "party-a/people/" + secret}}
	m.Output, m.Actor, m.Purpose, m.Reason = Place("a/"+secret+"/b"), "\n"+secret, "\n"+secret, "\xff"+secret
	m.Electors.Mode, m.Electors.Sets[0].IDSpace, m.Electors.Sets[0].KeyID, m.Electors.Sets[0].Digest = secret, secret, secret, secret
	m.Evidence = Evidence{MAC: secret, Document: secret, Statement: "\xff" + secret}
	m.Producer = Producer{Org: secret, Sidecar: secret, Instance: "\n" + secret, Previous: secret, Version: "\n" + secret}
	faults, _ := m.Validate().(Faults)
	if len(faults) < 18 {
		t.Errorf("%d faults: %v", len(faults), faults)
	}
	if strings.Contains(faults.Redacted(), secret) || strings.Contains(faults.Redacted(), "\n") {
		t.Errorf("redacted: %s", faults.Redacted())
	}
	if !strings.Contains(faults.Error(), secret) {
		t.Errorf("the value is not shown: %v", faults)
	}
	long := Fault{"field", strings.Repeat("é", 500), "less"}
	if len(long.Error()) > 400 {
		t.Errorf("the value is not cut: %v", long)
	}
}

func TestProducerValidate(t *testing.T) {
	if err := good().Producer.Validate(); err != nil {
		t.Error(err)
	}
	if err := (Producer{}).Validate(); err == nil {
		t.Error("an empty producer is valid")
	}
}

func TestKnownKinds(t *testing.T) {
	for _, k := range []Kind{Collect, Export, Merge, Share, Access, Destroy} {
		if !k.Known() {
			t.Errorf("%s is not known", k)
		}
	}
	if Kind("enclave_join").Known() || Kind("").Known() {
		t.Error("a later kind is known")
	}
}

// Only the owner of a place, or a recorder there, takes electors away, and only by a destroy that was done.
func TestRemoves(t *testing.T) {
	for _, tc := range []struct {
		name      string
		change    func(*Movement)
		effective Basis
		removes   bool
	}{
		{"observed by the owner", func(*Movement) {}, Observed, true},
		{"declared by the owner", func(m *Movement) { m.Basis = Declared }, Declared, true},
		{"attested by the owner of another place", func(m *Movement) { m.Basis = Attested }, Attested, false},
		{"observed by another", func(m *Movement) { m.Producer.Org = "party-b" }, Attested, false},
		{"declared by another", func(m *Movement) { m.Producer.Org, m.Basis = "party-b", Declared }, Attested, false},
		{"open", func(m *Movement) { m.State, m.Outcome = Open, "" }, Observed, false},
		{"failed", func(m *Movement) { m.Outcome = Failed }, Observed, false},
		{"retracted", func(m *Movement) { m.Outcome, m.Basis = Retracted, Declared }, Declared, false},
		{"no destroy", func(m *Movement) { m.Kind, m.Output = Export, "party-a/files/x.csv" }, Observed, false},
		{"an entry published by another", func(m *Movement) { m.Kind, m.Output, m.Producer.Org = Share, "acme-mail/x/y", "party-b" }, Observed, false},
		{"without inputs", func(m *Movement) { m.Inputs = nil }, Attested, false},
	} {
		m := good()
		m.Kind, m.Output = Destroy, ""
		tc.change(m)
		if m.EffectiveBasis() != tc.effective || m.Removes() != tc.removes {
			t.Errorf("%s: %s, removes %v; want %s, %v", tc.name, m.EffectiveBasis(), m.Removes(), tc.effective, tc.removes)
		}
	}
}

func TestMovementJSON(t *testing.T) {
	want := good()
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var have Movement
	if err := json.Unmarshal(b, &have); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(want, &have) {
		t.Errorf("after JSON it is %+v", have)
	}
}
