package graph_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/schematest"
)

var (
	scale     = flag.Float64("scale", 0.01, "share of the 10,000 movements that the benchmark's history has, up to 1")
	rollShare = flag.Float64("roll", 1, "share of the 27,509,496 electors that its roll has, up to 1")
	samples   = flag.Int("samples", 100, "how many questions of each kind are asked of it")
)

// What the history of docs/design.md's measures takes in space and time, against what one would build without
// bitmaps, in the same ClickHouse. The rows know movements and numbers only: their questions are handed the movements
// concerned, and so are ours where they are compared; what whole questions take, with everything that they read beside
// the sets, is printed as it is.
func BenchmarkHistory(b *testing.B) {
	server := schematest.ClickHouseServer(b, embedded.ClickHouseConfig{MaxMemory: 6 << 30})
	dsn := server.DSNOf(embedded.Owner, "rolltrace")
	if err := graph.Migrate(b.Context(), graph.Options{DSN: dsn}); err != nil {
		b.Fatal(err)
	}
	h := &measured{B: b, centre: centreAt(b, dsn), history: newScaled(int(fullMovements**scale), *rollShare), random: rand.New(rand.NewPCG(10, 000))}
	var memberships int
	for i := range h.history.moves {
		memberships += h.history.moves[i].size()
	}
	h.logf("%d movements of a roll of %d: %d memberships", len(h.history.moves), h.history.electors, memberships)
	began := time.Now()
	h.history.write(b, h.centre)
	h.logf("written in %.1f s", time.Since(began).Seconds())
	h.rows()
	for b.Loop() {
		h.storage()
		h.dossiers()
		h.sets()
		h.questions()
		h.plans()
		h.ingest() // which writes again: after everything that wants merged tables
	}
	fmt.Println(strings.Join(h.lines, "\n"))
}

// measured is a history in both forms.
type measured struct {
	*testing.B
	*centre
	history *scaled
	random  *rand.Rand
	lines   []string
}

func (h *measured) logf(format string, args ...any) {
	h.lines = append(h.lines, fmt.Sprintf(format, args...))
}

// rows makes the row tables from the sets. Those of keys have keyRolls whole rolls at most: each more takes the same
// again, because its keys are the same. Those in elector order have the electors of rowBuckets buckets at most, and only
// these are asked for.
func (h *measured) rows() {
	const form = ` (movement UInt32 CODEC(Delta(4), ZSTD(1)), %s CODEC(Delta(%d), ZSTD(1))) ENGINE = MergeTree ORDER BY (%s)`
	for _, table := range []string{"rows_by_key", "rows_by_key_whole"} {
		h.exec("CREATE TABLE " + table + fmt.Sprintf(form, "key UInt64", 8, "movement, key"))
	}
	h.exec("CREATE TABLE rows_by_movement" + fmt.Sprintf(form, "number UInt32", 4, "movement, number"))
	h.exec("CREATE TABLE rows_by_elector" + fmt.Sprintf(form, "number UInt32", 4, "number, movement"))
	const numbers = "arrayJoin(arrayConcat(bitmapToArray(electors), numbers)) AS number"
	const settings = " SETTINGS max_block_size = 64, min_insert_block_size_rows = 8000000"
	for from := 0; from < len(h.history.moves); from += 1000 {
		h.exec(fmt.Sprintf("INSERT INTO rows_by_movement SELECT movement, %s FROM listed WHERE movement BETWEEN %d AND %d"+settings, numbers, from, from+999))
		h.exec(fmt.Sprintf("INSERT INTO rows_by_key SELECT movement, %s FROM (SELECT movement, %s FROM listed WHERE movement BETWEEN %d AND %d AND movement %% 100 != 0)"+settings,
			scaledKey, numbers, from, from+999))
	}
	for roll := range h.keyRolls() {
		h.exec(fmt.Sprintf("INSERT INTO rows_by_key_whole SELECT %d, key FROM elector ORDER BY key SETTINGS max_insert_threads = 1, min_insert_block_size_rows = 40000000, min_insert_block_size_bytes = 1000000000", 100*roll))
	}
	for bucket := range h.rowBuckets() {
		h.exec(fmt.Sprintf(`INSERT INTO rows_by_elector (number, movement) SELECT arrayJoin(bitmapToArray(electors)) AS number, movement FROM listed_by_elector WHERE slot = %d
			UNION ALL SELECT toUInt32(slot %% 131072 - 1 + %d), movement FROM listed_by_elector WHERE slot > %[1]d AND slot < %[3]d`+settings,
			uint64(bucket)<<17, uint64(bucket)<<16, uint64(bucket+1)<<17))
	}
	for _, table := range []string{"rows_by_key", "rows_by_key_whole", "rows_by_movement", "rows_by_elector"} {
		h.exec("OPTIMIZE TABLE " + table + " FINAL")
	}
}

// wholeRolls is how many movements of the whole roll there are.
func (h *measured) wholeRolls() int { return (len(h.history.moves) + 99) / 100 }

func (h *measured) keyRolls() int { return min(3, h.wholeRolls()) }

func (h *measured) rowBuckets() int {
	return min(42, int(graph.Bucket(h.history.electors-1))+1)
}

func (h *measured) number(sql string) float64 {
	h.B.Helper()
	var n float64
	if err := h.conn.QueryRow(h.B.Context(), "SELECT toFloat64(("+sql+"))").Scan(&n); err != nil {
		h.B.Fatalf("%s: %v", sql, err)
	}
	return n
}

func (h *measured) storage() {
	bytes := func(condition string) float64 {
		return h.number("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase() AND " + condition)
	}
	const ours = "table NOT LIKE 'rows_by_%'"
	mib := func(n float64) float64 { return n / (1 << 20) }
	all := bytes(ours)
	each := bytes("table = 'rows_by_key_whole'") / float64(h.keyRolls())
	rows := bytes("table = 'rows_by_key'") + each*float64(h.wholeRolls())
	h.logf("storage: %.0f MiB (electors and their keys %.0f, sets %.0f, the rest %.0f), rows of keys %.0f MiB: 1/%.1f", mib(all),
		mib(bytes("table = 'elector'")), mib(bytes("table LIKE 'listed%'")), mib(bytes(ours+" AND table != 'elector' AND table NOT LIKE 'listed%'")), mib(rows), rows/all)
	h.logf("  of the rows of keys %.0f MiB are %d whole rolls of %.1f MiB each, %.2f bytes a row, measured on %d; the others were all written, %.2f bytes a row",
		mib(each)*float64(h.wholeRolls()), h.wholeRolls(), mib(each), each/float64(h.history.electors), h.keyRolls(),
		bytes("table = 'rows_by_key'")/h.number("SELECT count() FROM rows_by_key"))
	h.logf("  rows of numbers: %.0f MiB in movement order, %.0f MiB in elector order for %d of %d buckets", mib(bytes("table = 'rows_by_movement'")), mib(bytes("table = 'rows_by_elector'")),
		h.rowBuckets(), graph.Bucket(h.history.electors-1)+1)
	h.ReportMetric(rows/all, "storage-x")
}

// plans prints what ClickHouse does for the sets of ten whole rolls, and for a dossier, and what it reads.
func (h *measured) plans() {
	var rolls []uint32
	for i := range h.history.moves {
		if h.history.moves[i].n == h.history.electors && len(rolls) < 10 {
			rolls = append(rolls, uint32(i))
		}
	}
	set, dossier, err := h.graph.ExplainListed(h.B.Context(), rolls, h.history.electors/2)
	if err != nil {
		h.B.Fatal(err)
	}
	h.logf("plan of a set of %d whole rolls:\n  %s", len(rolls), strings.Join(set, "\n  "))
	h.logf("plan of a dossier:\n  %s", strings.Join(dossier, "\n  "))
}

// ingest writes a hundredth of the history again, as sets and as rows, through the same driver.
func (h *measured) ingest() {
	batch := &graph.Batch{}
	var movements, numbers []uint32
	for i := range min(100, len(h.history.moves)) {
		m := &h.history.moves[i]
		m.sets(batch, uint32(i))
		for n := m.first; n < m.first+m.n; n++ {
			numbers = append(numbers, n)
		}
		numbers = append(numbers, m.numbers...)
		for range m.size() {
			movements = append(movements, uint32(i))
		}
	}
	h.exec("CREATE TABLE IF NOT EXISTS rows_again AS rows_by_movement")
	ours := took(func() { h.write(batch) })
	theirs := took(func() {
		for from := 0; from < len(numbers); from += 1 << 20 {
			to := min(from+1<<20, len(numbers))
			block, err := h.conn.PrepareBatch(h.B.Context(), "INSERT INTO rows_again (movement, number)")
			if err != nil {
				h.B.Fatal(err)
			}
			if err := block.Column(0).Append(movements[from:to]); err != nil {
				h.B.Fatal(err)
			}
			if err := block.Column(1).Append(numbers[from:to]); err != nil {
				h.B.Fatal(err)
			}
			if err := block.Send(); err != nil {
				h.B.Fatal(err)
			}
		}
	})
	h.exec("DROP TABLE rows_again")
	h.logf("ingest of %d memberships, both orders and synced: %.2f s; rows, one order and not synced: %.2f s", len(numbers), ours.Seconds(), theirs.Seconds())
	h.ReportMetric(ours.Seconds()/theirs.Seconds(), "ingest-ratio")
}

func (h *measured) dossiers() {
	var ours, theirs []time.Duration
	for range *samples {
		n := h.random.Uint32N(min(h.history.electors, uint32(h.rowBuckets())<<graph.BucketBits))
		var a, c []uint32
		x := took(func() {
			var err error
			if a, err = h.graph.MovementsOf(h.B.Context(), n); err != nil {
				h.B.Fatal(err)
			}
		})
		y := took(func() {
			c = h.movements(fmt.Sprintf("SELECT movement FROM rows_by_elector WHERE number = %d", n))
		})
		slices.Sort(c)
		if !slices.Equal(a, c) {
			h.B.Fatalf("elector %d: movements %v, of rows %v", n, a, c)
		}
		ours, theirs = append(ours, x), append(theirs, y)
	}
	h.compare("dossier", ours, theirs)
}

// sets asks for sets and overlaps, of places of three sizes.
func (h *measured) sets() {
	into := map[schema.Place][]uint32{}
	size := map[schema.Place]string{}
	for i := range h.history.moves {
		m := &h.history.moves[i]
		into[m.to] = append(into[m.to], uint32(i))
		switch {
		case m.n == h.history.electors:
			size[m.to] = "whole rolls"
		case m.n > 0 && size[m.to] == "":
			size[m.to] = "districts"
		}
	}
	for _, class := range []string{"whole rolls", "districts", ""} {
		var places []schema.Place
		for place := range into {
			if size[place] == class {
				places = append(places, place)
			}
		}
		if len(places) == 0 {
			continue
		}
		slices.Sort(places)
		name, count := class, *samples
		switch class {
		case "":
			name = "small scattered sets"
		case "whole rolls":
			count = min(count, 5) // rows take seconds
		}
		var set, setRows, overlap, overlapRows []time.Duration
		for range count {
			x, y := into[places[h.random.IntN(len(places))]], into[places[h.random.IntN(len(places))]]
			var electors uint64
			a := took(func() { electors = h.electors(h.graph.CountListed(h.B.Context(), x)) })
			ours := float64(electors)
			theirs, b := h.count(fmt.Sprintf("SELECT groupBitmap(number) FROM rows_by_movement WHERE movement IN (%s)", sqlList(x)))
			if ours != theirs {
				h.B.Fatalf("set: %v electors, of rows %v", ours, theirs)
			}
			set, setRows = append(set, a), append(setRows, b)
			both := slices.Concat(x, y)
			a = took(func() { electors = h.electors(h.graph.OverlapListed(h.B.Context(), x, y)) })
			ours = float64(electors)
			theirs, b = h.count(fmt.Sprintf(`SELECT bitmapAndCardinality(groupBitmapStateIf(number, movement IN (%s)), groupBitmapStateIf(number, movement IN (%s)))
				FROM rows_by_movement WHERE movement IN (%s)`, sqlList(x), sqlList(y), sqlList(both)))
			if ours != theirs {
				h.B.Fatalf("overlap: %v electors, of rows %v", ours, theirs)
			}
			overlap, overlapRows = append(overlap, a), append(overlapRows, b)
		}
		h.compare("set, "+name, set, setRows)
		h.compare("overlap, "+name, overlap, overlapRows)
	}
}

func (h *measured) count(sql string) (n float64, d time.Duration) {
	d = took(func() { n = h.number(sql) })
	return n, d
}

// questions asks whole questions, as the command line does: of places and organisations at random.
func (h *measured) questions() {
	ends := h.texts("SELECT DISTINCT arrayJoin([place, org]) AS name FROM places ORDER BY name")
	var electors, reach, sources, elector, union []time.Duration
	for range *samples {
		at := ends[h.random.IntN(len(ends))]
		electors = append(electors, took(func() { h.ask(h.graph.Electors(h.B.Context(), graph.ElectorsQuestion{At: at})) }))
		reach = append(reach, took(func() { h.ask(h.graph.Reach(h.B.Context(), graph.ReachQuestion{At: at})) }))
		sources = append(sources, took(func() { h.ask(h.graph.Sources(h.B.Context(), graph.ReachQuestion{At: at})) }))
		key, err := schema.ParseKey(h.texts(fmt.Sprintf("SELECT leftPad(lower(hex(key)), 16, '0') FROM elector WHERE number = %d", h.random.Uint32N(h.history.electors)))[0])
		if err != nil {
			h.B.Fatal(err)
		}
		elector = append(elector, took(func() { h.ask(h.graph.Elector(h.B.Context(), graph.ElectorQuestion{Key: key})) }))
	}
	h.logf("questions, whole: p50 and p99 of %d", *samples)
	for _, q := range []struct {
		name string
		took []time.Duration
	}{{"electors", electors}, {"elector", elector}, {"reach", reach}, {"sources", sources}} {
		h.logf("  %-10s %6.1f ms %6.1f ms", q.name, ms(percentile(q.took, 50)), ms(percentile(q.took, 99)))
		h.ReportMetric(ms(percentile(q.took, 99)), q.name+"-p99-ms")
	}
	// The widest walk there is, against the mere union of the rows of its movements by place, whatever their routes.
	first := string(h.history.moves[0].from[0])
	var whole []time.Duration
	for range 3 {
		whole = append(whole, took(func() { h.ask(h.graph.Reach(h.B.Context(), graph.ReachQuestion{At: first})) }))
	}
	union = append(union, took(func() {
		h.texts(`SELECT toString(groupBitmap(number)) FROM rows_by_movement AS r INNER JOIN
			(SELECT movement, any(output) AS place FROM movement_revision GROUP BY movement) AS m ON m.movement = r.movement GROUP BY m.place`)
	}))
	h.compare("reach of everything", whole, union)
}

func (h *measured) movements(sql string) (out []uint32) {
	rows, err := h.conn.Query(h.B.Context(), sql)
	for err == nil && rows.Next() {
		var movement uint32
		err = rows.Scan(&movement)
		out = append(out, movement)
	}
	if err != nil {
		h.B.Fatalf("%s: %v", sql, err)
	}
	rows.Close()
	return out
}

func (h *measured) electors(n uint64, err error) uint64 {
	if err != nil {
		h.B.Fatal(err)
	}
	return n
}

func (h *measured) ask(_ any, err error) {
	if err != nil {
		h.B.Fatal(err)
	}
}

func (h *measured) compare(what string, ours, theirs []time.Duration) {
	ratio := ms(percentile(theirs, 50)) / ms(percentile(ours, 50))
	h.logf("%-32s %7.1f ms (p99 %7.1f), rows %8.1f ms (p99 %8.1f): %.1f times as fast", what, ms(percentile(ours, 50)), ms(percentile(ours, 99)),
		ms(percentile(theirs, 50)), ms(percentile(theirs, 99)), ratio)
	h.ReportMetric(ratio, strings.NewReplacer(" ", "-", ",", "").Replace(what)+"-x")
}

func took(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}

func percentile(all []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func sqlList(numbers []uint32) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(numbers), " ", ","), "[]")
}
