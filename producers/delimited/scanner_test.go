package delimited

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// result is what a text holds.
type result struct {
	records uint64
	ids     [][]string
	err     error
}

// scanAll scans text in pieces that grow by the given steps (0: all at once).
func scanAll(t interface{ Fatalf(string, ...any) }, config Config, text []byte, step int) result {
	s, err := NewScanner(config)
	if err != nil {
		return result{err: err}
	}
	got := result{ids: make([][]string, len(config.Columns))}
	if step <= 0 {
		step = len(text) + 1
	}
	var rows Rows
	start, end := 0, 0
	for {
		end = min(end+step, len(text))
		final := end == len(text)
		rows.Reset()
		n, err := s.Scan(text[start:end:end], final, &rows)
		got.records += uint64(rows.Records)
		for i := range config.Columns {
			got.ids[i] = append(got.ids[i], all(&rows, i)...)
		}
		if err != nil {
			got.err = err
			return got
		}
		start += n
		if start > end {
			t.Fatalf("scanned %d of %d bytes", start, end)
		}
		if final {
			if start != len(text) {
				t.Fatalf("the last scan left %d bytes", len(text)-start)
			}
			return got
		}
	}
}

// all are the identifiers of a column.
func all(rows *Rows, column int) (ids []string) {
	var some [3][]byte
	for n := rows.Read(some[:], column, 0); n > 0; n = rows.Read(some[:], column, len(ids)) {
		for _, id := range some[:n] {
			ids = append(ids, string(id))
		}
	}
	if len(ids) != rows.Len(column) {
		panic("Len and Read do not agree")
	}
	return ids
}

func TestDialects(t *testing.T) {
	const two = "7,8"
	for name, test := range map[string]struct {
		config Config
		text   string
		want   string // ids of the columns, separated by ","; columns by "|"
		rows   uint64
	}{
		"header":                   {Config{Columns: []string{"id"}}, "id,name\n7,Ada\n8,Bo\n", two, 2},
		"last column":              {Config{Columns: []string{"id"}}, "name,id\nAda,7\nBo,8\n", two, 2},
		"no newline at the end":    {Config{Columns: []string{"id"}}, "name,id\nAda,7\nBo,8", two, 2},
		"CRLF":                     {Config{Columns: []string{"id"}}, "name,id\r\nAda,7\r\nBo,8\r\n", two, 2},
		"CRLF without the last":    {Config{Columns: []string{"id"}}, "name,id\r\nAda,7\r\nBo,8\r", two, 2},
		"CR":                       {Config{Columns: []string{"id"}}, "name,id\rAda,7\rBo,8\r", two, 2},
		"CR, quoted":               {Config{Columns: []string{"id"}}, "name,id\r\"A\rda\",\"7\"\r\"B\"\"o\",8", two, 2},
		"byte order mark":          {Config{Columns: []string{"id"}}, "\ufeffid,name\n7,Ada\n8,Bo\n", two, 2},
		"quoted header after mark": {Config{Columns: []string{"id"}}, "\ufeff\"id\",name\n7,Ada\n8,Bo\n", two, 2},
		"mark, no header":          {Config{Columns: []string{"1"}, NoHeader: true}, "\ufeff7,Ada\n8,Bo\n", two, 2},
		"by number":                {Config{Columns: []string{"2"}}, "name,id\nAda,7\nBo,8\n", two, 2},
		"number, no header":        {Config{Columns: []string{"2"}, NoHeader: true}, "Ada,7\nBo,8\n", two, 2},
		"a column named 1":         {Config{Columns: []string{"1"}}, "name,1\nAda,7\nBo,8\n", two, 2},
		"padded header":            {Config{Columns: []string{"id"}}, " name , id \nAda,7\nBo,8\n", two, 2},
		"quoted comma":             {Config{Columns: []string{"id"}}, "name,id\n\"Ada, Lady\",7\nBo,8\n", two, 2},
		"quoted newline":           {Config{Columns: []string{"id"}}, "name,id\n\"Ada\nLady\n\",7\nBo,8\n", two, 2},
		"quoted newline after":     {Config{Columns: []string{"id"}}, "id,name\n7,\"Ada\nLady\n\"\n8,Bo\n", two, 2},
		"quoted quote":             {Config{Columns: []string{"id"}}, "name,id\n\"Ada \"\"L\"\"\",7\n\"\"\"\",8\n", two, 2},
		"all quoted":               {Config{Columns: []string{"id"}}, "\"name\",\"id\"\r\n\"Ada\",\"7\"\r\n\"Bo\",\"8\"\r\n", two, 2},
		"quote in an id":           {Config{Columns: []string{"id"}}, "id,name\n\"7\"\"\n,\",Ada\n", "7\"\n,", 1},
		"quote in a plain field":   {Config{Columns: []string{"id"}}, "name,id\nAda 5\",7\nBo \"B\" x,8\n", two, 2},
		"semicolon":                {Config{Columns: []string{"id"}, Delimiter: ';'}, "name;id\nAda,x;7\nBo;8\n", two, 2},
		"ragged":                   {Config{Columns: []string{"id"}}, "a,b,id\nx\nx,y,7\nx,y\nx,y,8,z,z\n,,\n", two, 5},
		"empty ids":                {Config{Columns: []string{"id"}}, "id,a\n,x\n7,x\n\"\",x\n8,x\n", two, 4},
		"empty lines":              {Config{Columns: []string{"id"}}, "\n\r\nid,a\n\n7,x\n\r\n8,x\n\n\n", two, 2},
		"NUL bytes":                {Config{Columns: []string{"id"}}, "id,a\n7,\x00x\n8,\"\x00\"\n", two, 2},
		"NUL in an id":             {Config{Columns: []string{"id"}}, "id,a\n7\x00,x\n", "7\x00", 1},
		"several columns":          {Config{Columns: []string{"mail", "id", "3"}}, "id,mail,crm,z\n7,a@x,c1,\n8,,c2,\n,b@x,,\n", "a@x,b@x|7,8|c1,c2", 3},
		"several, quoted":          {Config{Columns: []string{"mail", "id"}}, "id,mail\n\"7\",\"a@x\"\n8,\"\"\n\"9\n", "a@x|7,8", 2},
		"far column":               {Config{Columns: []string{"20"}, NoHeader: true}, strings.Repeat("abc,", 19) + "7,x\n" + strings.Repeat(",", 19) + "8\n", two, 2},
		"TSV":                      {Config{Format: TSV, Columns: []string{"id"}}, "name\tid\nAda, x\t7\nBo\t8\n", two, 2},
		"TSV, quoted":              {Config{Format: TSV, Columns: []string{"id"}}, "name\tid\n\"Ada\tx\ny\"\t\"7\"\n\"B\"\"o\"\t8\n", two, 2},
		"TSV, bare quotes":         {Config{Format: TSV, Columns: []string{"id"}}, "name\tid\n\"Ada\" Lady\t7\n\"\"Bo\t8\n", two, 2},
		"TSV, open quote at end":   {Config{Format: TSV, Columns: []string{"id"}}, "name\tid\nAda\t7\n\"Bo\t8\n", two, 2},
		"header only":              {Config{Columns: []string{"id"}}, "id,name\n", "", 0},
		"header only, no newline":  {Config{Columns: []string{"id"}}, "id,name", "", 0},
		"nothing":                  {Config{Columns: []string{"1"}, NoHeader: true}, "", "", 0},
		"a byte order mark only":   {Config{Columns: []string{"1"}, NoHeader: true}, "\ufeff", "", 0},
		"nothing, counted":         {Config{}, "", "", 0},
		"counted":                  {Config{}, "a,b\n1,\"x\ny\"\n2,z\n\"3 x\n", "", 3},
		"counted, no header":       {Config{NoHeader: true}, "1\n2\n\n3", "", 3},
	} {
		for step := range 9 {
			got := scanAll(t, test.config, []byte(test.text), step)
			if name == "several, quoted" {
				if got.err == nil {
					t.Errorf("%s, step %d: no error", name, step)
				}
				got.err = nil
			}
			if got.err != nil {
				t.Errorf("%s, step %d: %v", name, step, got.err)
				continue
			}
			columns := make([]string, len(got.ids))
			for i, ids := range got.ids {
				columns[i] = strings.Join(ids, ",")
			}
			if said := strings.Join(columns, "|"); said != test.want || got.records != test.rows {
				t.Errorf("%s, step %d: have %q in %d records, want %q in %d", name, step, said, got.records, test.want, test.rows)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	long := strings.Repeat("9", MaxID+1)
	for name, test := range map[string]struct {
		config Config
		text   string
		want   string
	}{
		"no such column":       {Config{Columns: []string{"id"}}, "elector_id,name,\"e-mail, home\"\n1,2,3\n", `id column "id": not in the header; the columns are "elector_id", "name", "e-mail, home"`},
		"perhaps no header":    {Config{Columns: []string{"id"}}, "12345678,Ada Example,K1A\n1,2,3\n", `id column "id": not in the first line, whose 3 columns are not shown because it may be a row: without a header use --no-header and the column's number`},
		"letters and digits":   {Config{Columns: []string{"id"}}, "Ada,Example,E1234567\n", "whose 3 columns are not shown"},
		"a mail address":       {Config{Columns: []string{"id"}}, "Ada,ada@example.org\n", "whose 2 columns are not shown"},
		"twice in the header":  {Config{Columns: []string{"id"}}, "id,name,id\n", "columns 1 and 3 have this name: give the number"},
		"number too high":      {Config{Columns: []string{"4"}}, "id,name,phone\n", `id column "4": there are 3 columns; the columns are "id", "name", "phone"`},
		"a row of letters":     {Config{Columns: []string{"id"}}, "ABCDEFGH,Janet,Secretname\n", `id column "id": not in the first line, whose 3 columns are not shown because it may be a row: without a header use --no-header and the column's number`},
		"a row, number":        {Config{Columns: []string{"7"}}, "ABCDEFGH,Janet,Secretname\n", `id column "7": there are 3 columns`},
		"another delimiter":    {Config{Columns: []string{"id"}}, "AB;Jane Q Secretname;Hidden St\n", `id column "id": not in the first line, whose 1 columns are not shown because it may be a row: without a header use --no-header and the column's number`},
		"too high, no header":  {Config{Columns: []string{"4"}, NoHeader: true}, "Ada,Bo,Cy\n", `id column "4": there are 3 columns`},
		"the same column":      {Config{Columns: []string{"a", "1"}}, "a,b,c\n", `id columns "a" and "1" are the same column`},
		"text after quote":     {Config{Columns: []string{"a"}}, "a,b\n1,2\n\"1\"x,2\n", "record 2: a quoted field with text after its closing quote"},
		"space after quote":    {Config{Columns: []string{"a"}}, "a,b\n1,\"2\" \n", "record 1: a quoted field with text after its closing quote"},
		"never closed":         {Config{Columns: []string{"a"}}, "a,b\n1,2\n3,\"4\n5,6\n", "record 2: a quote that is never closed"},
		"never closed, header": {Config{Columns: []string{"a"}}, "a,\"b\n1,2\n", "header: a quote that is never closed"},
		"long id":              {Config{Columns: []string{"a"}}, "a,b\n1,2\n" + long + ",1\n", "record 2: an identifier longer than 4096 bytes"},
		"long quoted id":       {Config{Columns: []string{"a"}}, "a,b\n\"" + long + "\",1\n", "record 1: an identifier longer than 4096 bytes"},
		"UTF-16":               {Config{Columns: []string{"a"}}, "\xff\xfea\x00,\x00b\x00\n\x00", "header: the text is UTF-16"},
		"bad format":           {Config{Format: "xml"}, "", `format "xml": want csv or tsv`},
		"bad delimiter":        {Config{Delimiter: '"'}, "", "delimiter"},
		"name, no header":      {Config{Columns: []string{"id"}, NoHeader: true}, "", `id column "id": without a header want its number`},
		"given twice":          {Config{Columns: []string{"id", "id"}}, "", "given twice"},
		"empty":                {Config{Columns: []string{""}}, "", "want a name of the header"},
	} {
		for _, step := range []int{0, 1, 7} {
			got := scanAll(t, test.config, []byte(test.text), step)
			if got.err == nil || !strings.Contains(got.err.Error(), test.want) || strings.Contains(got.err.Error(), "\n") {
				t.Errorf("%s, step %d: have error %v, want %s", name, step, got.err, test.want)
			}
		}
	}
}

func TestRecordsAreBounded(t *testing.T) {
	for name, text := range map[string]string{
		"quoted":   "a,b\n1,\"" + strings.Repeat("x\n", MaxRecord/2+1000) + "\"\n",
		"unquoted": "a,b\n1," + strings.Repeat("x", MaxRecord+1000) + "\n",
	} {
		for _, step := range []int{1 << 20, MaxRecord / 2} {
			got := scanAll(t, Config{Columns: []string{"b"}}, []byte(text), step)
			var fault *SyntaxError
			if !errors.As(got.err, &fault) || fault.Record != 1 {
				t.Errorf("%s, step %d: %v", name, step, got.err)
			}
		}
	}
	text := "a,b\n1,\"" + strings.Repeat("x\n", MaxRecord/2-100) + "\"\n2,x\n"
	if got := scanAll(t, Config{Columns: []string{"a"}}, []byte(text), 100_000); got.err != nil || got.records != 2 {
		t.Errorf("a record just within the limit: %d records, %v", got.records, got.err)
	}
}

// oracle reads with encoding/csv. skip says that it does not judge.
func oracle(text []byte, delimiter byte, column int) (want result, skip bool) {
	reader := csv.NewReader(bytes.NewReader(text))
	reader.Comma = rune(delimiter)
	reader.FieldsPerRecord = -1
	want.ids = [][]string{nil}
	for {
		fields, err := reader.Read()
		if err == io.EOF {
			return want, false
		}
		if err != nil {
			want.err = err
			// A bare quote in a plain field is an error to it, and a character to us.
			return want, errors.Is(err, csv.ErrBareQuote)
		}
		if want.records == 0 && len(fields) < column {
			return want, true
		}
		want.records++
		if column <= len(fields) && fields[column-1] != "" {
			want.ids[0] = append(want.ids[0], fields[column-1])
		}
	}
}

func checkAgainstOracle(t interface {
	Fatalf(string, ...any)
}, text []byte, delimiter byte, column, step int) {
	plain := bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) ||
		len(text) > MaxID || bytes.IndexByte(text, '\r') >= 0 && bytes.IndexByte(text, '\n') < 0 {
		return
	}
	want, skip := oracle(plain, delimiter, column)
	got := scanAll(t, Config{Delimiter: delimiter, NoHeader: true, Columns: []string{fmt.Sprint(column)}}, text, step)
	if skip {
		return
	}
	for i, id := range got.ids[0] {
		got.ids[0][i] = strings.ReplaceAll(id, "\r\n", "\n") // encoding/csv does it within quotes
	}
	if got.records != want.records || !slices.Equal(got.ids[0], want.ids[0]) || (got.err == nil) != (want.err == nil) {
		t.Fatalf("%q, delimiter %q, column %d, step %d:\nhave %d records, ids %q, error %v\nwant %d records, ids %q, error %v",
			text, delimiter, column, step, got.records, got.ids[0], got.err, want.records, want.ids[0], want.err)
	}
}

func FuzzScanner(f *testing.F) {
	for _, text := range []string{"a,b\n1,2\n", "\"a\",\"b\"\r\n\"1\n\",\"\"\"2\"\n\n3", "\ufeffa;b\r\n;;\r", "\"x", "\"x\"y,\n", "a\r", ",\n\"\",\"\"", "\"a\"\r", "\"\r\n\",b\n"} {
		for column := 1; column < 4; column++ {
			f.Add([]byte(text), byte(','), column, column-1)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, delimiter byte, column, step int) {
		if delimiter >= 0x80 || strings.IndexByte("\"\r\n\x00", delimiter) >= 0 || column < 1 || column > 100 || step < 0 {
			return
		}
		checkAgainstOracle(t, text, delimiter, column, step)
	})
}

// The same without a fuzzing engine, on texts that are likely to be awkward.
func TestScannerAgreesWithEncodingCSV(t *testing.T) {
	letters := rapid.SampledFrom([]string{"\"", "\"\"", ",", ",", "\n", "\n", "\r\n", "\r", "a", "bc", "12345678", "é", "\x00", " "})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(letters, 0, 40).Draw(t, "text"), "")
		checkAgainstOracle(t, []byte(text), ',', rapid.IntRange(1, 4).Draw(t, "column"), rapid.IntRange(0, 9).Draw(t, "step"))
	})
	fields := rapid.SampledFrom([]string{`"a ""b"" c"`, `"x, y"`, "\"x\ny\"", "plain", "", `""`, "12345678", strings.Repeat("long", 9)})
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		end := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "end")
		for range rapid.IntRange(1, 20).Draw(t, "records") {
			text.WriteString(strings.Join(rapid.SliceOfN(fields, 1, 8).Draw(t, "fields"), ";") + end)
		}
		checkAgainstOracle(t, []byte(text.String()), ';', rapid.IntRange(1, 6).Draw(t, "column"), rapid.IntRange(0, 30).Draw(t, "step"))
	})
}

func TestParseIDColumn(t *testing.T) {
	for given, want := range map[string]IDColumn{
		"elector_id": {"elector-id", "elector_id"}, "3": {"elector-id", "3"}, "email=E-Mail": {"email", "E-Mail"}, "crm-id=a=b": {"crm-id", "a=b"},
	} {
		if got, err := ParseIDColumn(given); err != nil || got != want {
			t.Errorf("%q: %v, %v", given, got, err)
		}
	}
	for _, given := range []string{"", "email=", "=x", "E mail=x"} {
		if got, err := ParseIDColumn(given); err == nil {
			t.Errorf("%q: %v", given, got)
		}
	}
}
