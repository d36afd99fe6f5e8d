package delimited

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// Rows and fields, put together again, are the text.
func TestLayout(t *testing.T) {
	for _, text := range []string{
		"a,b,c\nx,y,z\n", "a,b\r\nx,\"y, and \"\"more\"\"\r\nof it\"\r\n\r\n,\r\nlast,one", "a\rb\r", "a,b\n\n\n1,2", "\"a\",b\n\"\",\n",
	} {
		reader, err := NewReader(strings.NewReader(text), Config{Columns: []string{"1"}, NoHeader: true}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		ran := make(chan error, 1)
		go func() { ran <- reader.Run(t.Context()) }()
		var again []byte
		records := 0
		for block := range reader.Blocks() {
			layout := reader.Layout()
			for _, part := range block.Release {
				rows := layout.Rows(nil, part)
				records += len(rows)
				for _, row := range rows {
					fields, end := layout.Fields(nil, row)
					written := append(bytes.Join(fields, []byte{layout.Delimiter()}), end...)
					if !bytes.HasSuffix(row, written) || strings.Trim(strings.TrimSuffix(string(row), string(written)), "\r\n") != "" {
						t.Errorf("row %q has the fields %q and ends in %q", row, fields, end)
					}
					if !slices.Contains([]string{"", "\n", "\r\n", "\r"}, string(end)) {
						t.Errorf("row %q ends in %q", row, end)
					}
					again = append(again, row...)
				}
			}
			if layout.Header() || !slices.Equal(layout.Columns(), []int{0}) {
				t.Errorf("header %v, columns %v", layout.Header(), layout.Columns())
			}
			if records != block.Records {
				t.Errorf("%q: %d rows, %d records", text, records, block.Records)
			}
			block.Free()
		}
		if err := <-ran; err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimRight(string(again), "\r\n"); got != strings.TrimRight(text, "\r\n") {
			t.Errorf("have %q, want %q", again, text)
		}
	}
}

func TestPlainRefusesCompression(t *testing.T) {
	reader, err := NewReader(bytes.NewReader([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0}), Config{Columns: []string{"a"}}, Options{Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range reader.Blocks() {
		}
	}()
	if err := reader.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "compressed") {
		t.Errorf("have %v", err)
	}
}
