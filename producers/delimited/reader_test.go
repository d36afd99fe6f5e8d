package delimited

import (
	"bytes"
	stdgzip "compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

// read runs a Reader over source, and calls each with every block, before it is freed.
func read(source io.Reader, config Config, options Options, each func(*Block)) error {
	r, err := NewReader(source, config, options)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Run(context.Background()) }()
	for b := range r.Blocks() {
		each(b)
		b.Free()
	}
	return <-ended
}

// collect is everything that a Reader hands out.
func collect(source io.Reader, config Config, options Options) (got result, released []byte) {
	got.ids = make([][]string, len(config.Columns))
	got.err = read(source, config, options, func(b *Block) {
		got.records += uint64(b.Records)
		for i := range config.Columns {
			got.ids[i] = append(got.ids[i], all(&b.Rows, i)...)
		}
		for _, part := range b.Release {
			released = append(released, part...)
		}
	})
	return got, released
}

func gzipped(t require, text []byte, members int) []byte {
	var out bytes.Buffer
	for part := range slices.Chunk(text, len(text)/members+1) {
		w := stdgzip.NewWriter(&out)
		if _, err := w.Write(part); err != nil {
			t.Fatalf("%v", err)
		}
		if err := w.Close(); err != nil {
			t.Fatalf("%v", err)
		}
	}
	return out.Bytes()
}

func zstded(t require, text []byte, frames int) []byte {
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatalf("%v", err)
	}
	out := []byte{0x57, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'} // to be skipped
	for part := range slices.Chunk(text, len(text)/frames+1) {
		out = encoder.EncodeAll(part, out)
	}
	return out
}

type require interface{ Fatalf(string, ...any) }

// Whatever the source's reads, the blocks' sizes and the compression: the bytes are the input's, and the
// identifiers are those that a Scanner finds in the text as a whole.
func TestReaderPassesEverythingOn(t *testing.T) {
	fields := rapid.SampledFrom([]string{`"a ""b"" c"`, `"x, y"`, "\"x\ny\"", "plain", "", `""`, "12345678", strings.Repeat("long", 40), "\x00"})
	rapid.Check(t, func(t *rapid.T) {
		var text bytes.Buffer
		end := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "end")
		text.WriteString(rapid.SampledFrom([]string{"", "\ufeff"}).Draw(t, "mark") + "a,b,c" + end)
		for range rapid.IntRange(0, 60).Draw(t, "records") {
			text.WriteString(strings.Join(rapid.SliceOfN(fields, 1, 5).Draw(t, "fields"), ",") + end)
		}
		input := text.Bytes()
		if rapid.Bool().Draw(t, "cut") {
			input = bytes.TrimSuffix(input, []byte(end))
		}
		config := Config{Columns: []string{"c", "a"}}
		want := scanAll(t, config, input, 0)

		input = compress(t, input, rapid.SampledFrom([]string{"no", "gzip", "gzip members", "gzip and zeros", "zstd", "zstd frames"}).Draw(t, "compression"))
		source := io.Reader(bytes.NewReader(input))
		switch rapid.SampledFrom([]string{"whole", "bytes", "halves", "with the end"}).Draw(t, "reads") {
		case "bytes":
			source = iotest.OneByteReader(source)
		case "halves":
			source = iotest.HalfReader(source)
		case "with the end":
			source = iotest.DataErrReader(source)
		}
		got, released := collect(source, config, Options{
			BlockBytes:   rapid.SampledFrom([]int{1, 7, 64, 1000, 0}).Draw(t, "block bytes"),
			BlockRecords: rapid.SampledFrom([]int{1, 3, 0}).Draw(t, "block records"),
			Blocks:       rapid.SampledFrom([]int{1, 2, 5}).Draw(t, "blocks"),
		})
		if !bytes.Equal(released, input) {
			t.Fatalf("released %d bytes of %d, or others", len(released), len(input))
		}
		if got.err != nil || want.err != nil || got.records != want.records || !slices.EqualFunc(got.ids, want.ids, slices.Equal[[]string]) {
			t.Fatalf("have %+v, want %+v", got, want)
		}
	})
}

func compress(t require, text []byte, how string) []byte {
	switch how {
	case "gzip":
		return gzipped(t, text, 1)
	case "gzip members":
		return gzipped(t, text, 5)
	case "gzip and zeros":
		return append(gzipped(t, text, 2), make([]byte, 700)...)
	case "zstd":
		return zstded(t, text, 1)
	case "zstd frames":
		return zstded(t, text, 4)
	}
	return text
}

// The promise: at no moment do the released bytes tell of a record that was not handed out before, or with
// them.
func TestReleasedIsRecorded(t *testing.T) {
	var text bytes.Buffer
	text.WriteString("name,id\n")
	random := rand.New(rand.NewPCG(1, 2))
	ends := []int{text.Len()} // by record: where it ends; 0 is the header
	for i := range 20_000 {
		fmt.Fprintf(&text, "\"Example %x,\n%d\",%d\n", random.Uint64(), random.Uint32()%1000, 10_000_000+i)
		ends = append(ends, text.Len())
	}
	for _, how := range []string{"no", "gzip", "gzip members", "zstd", "zstd frames"} {
		t.Run(how, func(t *testing.T) {
			input := compress(t, text.Bytes(), how)
			var released []byte
			records, steps := 0, 0
			err := read(iotest.OneByteReader(bufferedHalf{bytes.NewReader(input)}), Config{Columns: []string{"id"}}, Options{BlockBytes: 50_000}, func(b *Block) {
				records += b.Records
				if b.Bytes() == 0 {
					return
				}
				steps++
				for _, part := range b.Release {
					released = append(released, part...)
				}
				if told := len(readable(t, released, how)); told > ends[records] && len(released) < len(input) {
					t.Fatalf("%d bytes of text can be read in what was released, %d are recorded", told, ends[records])
				}
			})
			if err != nil || records != 20_000 || !bytes.Equal(released, input) {
				t.Fatalf("%d records, %d of %d bytes, %v", records, len(released), len(input), err)
			}
			if steps < 3 {
				t.Errorf("released in %d steps: this shows nothing", steps)
			}
		})
	}
}

// bufferedHalf is a source that gives 1000 bytes at a time at most.
type bufferedHalf struct{ r io.Reader }

func (b bufferedHalf) Read(p []byte) (int, error) { return b.r.Read(p[:min(len(p), 1000)]) }

// readable is what can be read in the beginning of a compressed stream.
func readable(t require, released []byte, how string) []byte {
	var r io.Reader = bytes.NewReader(released)
	switch {
	case strings.HasPrefix(how, "gzip"):
		z, err := stdgzip.NewReader(r)
		if err != nil {
			return nil
		}
		r = z
	case strings.HasPrefix(how, "zstd"):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Fatalf("%v", err)
		}
		defer z.Close()
		r = z
	}
	var out bytes.Buffer
	_, _ = out.ReadFrom(r)
	return out.Bytes()
}

// A fault lets nothing of the record at fault go, nor of what comes after it.
func TestReaderFaults(t *testing.T) {
	good := "id,name\n1,Ada\n2,Bo\n"
	zipped := gzipped(t, []byte(good), 1)
	flipped := bytes.Clone(zipped)
	flipped[len(flipped)-6] ^= 1
	long := zstded(t, []byte(good), 1)
	broken := errors.New("a broken disk")
	for name, test := range map[string]struct {
		source   func() io.Reader
		want     string
		released string
		records  uint64
	}{
		"missing column":    {func() io.Reader { return strings.NewReader("elector,name\n1,Ada\n") }, `the columns are "elector", "name"`, "", 0},
		"text after quote":  {func() io.Reader { return strings.NewReader(good + "\"3\"x,Cy\n4,Di\n") }, "record 3:", good, 2},
		"never closed":      {func() io.Reader { return strings.NewReader(good + "\"3,Cy\n4,Di\n") }, "record 3: a quote that is never closed", good, 2},
		"read error":        {func() io.Reader { return io.MultiReader(strings.NewReader(good+"3,C"), iotest.ErrReader(broken)) }, "read input: a broken disk", good, 2},
		"read error, first": {func() io.Reader { return iotest.ErrReader(broken) }, "read input: a broken disk", "", 0},
		"gzip cut":          {func() io.Reader { return bytes.NewReader(zipped[:len(zipped)-3]) }, "gzip: unexpected EOF", "", 2},
		"gzip header cut":   {func() io.Reader { return bytes.NewReader(zipped[:5]) }, "gzip: unexpected EOF", "", 0},
		"gzip checksum":     {func() io.Reader { return bytes.NewReader(flipped) }, "gzip: ", "", 2},
		"garbage behind":    {func() io.Reader { return io.MultiReader(bytes.NewReader(zipped), strings.NewReader("3,Cy\n")) }, "bytes that are not gzip", "", 2},
		"zstd cut":          {func() io.Reader { return bytes.NewReader(long[:len(long)-3]) }, "zstd: unexpected EOF", "", 0},
		"zip":               {func() io.Reader { return strings.NewReader("PK\x03\x04xxxxxx") }, "the input is zip, which is not read", "", 0},
		"xz":                {func() io.Reader { return strings.NewReader("\xfd7zXZ\x00xxxxxx") }, "the input is xz", "", 0},
		"bzip2":             {func() io.Reader { return strings.NewReader("BZh91AY&SYxxx") }, "the input is bzip2", "", 0},
		"not bzip2":         {func() io.Reader { return strings.NewReader("BZh,id\n1,2\n") }, "", "BZh,id\n1,2\n", 1},
		"not zip":           {func() io.Reader { return strings.NewReader("PK,id\n1,2\n") }, "", "PK,id\n1,2\n", 1},
		"no progress":       {func() io.Reader { return stuck{} }, "read input: multiple Read calls return no data or error", "", 0},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{iotest.OneByteReader, func(r io.Reader) io.Reader { return r }} {
			got, released := collect(wrap(test.source()), Config{Columns: []string{"id"}}, Options{})
			if test.want == "" && got.err != nil || test.want != "" && (got.err == nil || !strings.Contains(got.err.Error(), test.want)) {
				t.Errorf("%s: error %v, want %q", name, got.err, test.want)
			}
			if string(released) != test.released || got.records != test.records {
				t.Errorf("%s: released %q in %d records, want %q in %d", name, released, got.records, test.released, test.records)
			}
		}
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// Compressed bytes that hold no text do not pile up for ever.
func TestCompressedBytesWithoutTextAreBounded(t *testing.T) {
	skipped := append([]byte{0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 4}, make([]byte, 64<<20)...) // 64 MiB
	got, released := collect(bytes.NewReader(skipped), Config{}, Options{})
	if got.err == nil || !strings.Contains(got.err.Error(), "compressed bytes without a record") || len(released) > 0 {
		t.Errorf("released %d bytes, error %v", len(released), got.err)
	}
}

// A slow stream is passed on record by record: each is handed out before the next one is written.
func TestASlowStreamDoesNotWait(t *testing.T) {
	in, out := io.Pipe()
	r, err := NewReader(in, Config{Columns: []string{"id"}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Run(t.Context()) }()
	write := func(s string) {
		if _, err := io.WriteString(out, s); err != nil {
			t.Error(err)
		}
	}
	for _, line := range []string{"id,name\n", "1,Ada\n", "2,\"B\no\"\n"} {
		go write(line)
		var released string
		for released != line {
			b := <-r.Blocks()
			for _, part := range b.Release {
				released += string(part)
			}
			b.Free()
		}
	}
	go func() {
		write("3,Cy")
		_ = out.Close()
	}()
	var last string
	for b := range r.Blocks() {
		for _, part := range b.Release {
			last += string(part)
		}
		b.Free()
	}
	if err := <-ended; err != nil || last != "3,Cy" {
		t.Errorf("the end: %q, %v", last, err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	for name, before := range map[string]string{"before the first byte": "", "in the middle": "id\n1\n2"} {
		in, out := io.Pipe()
		r, err := NewReader(in, Config{Columns: []string{"id"}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		stop := errors.New("stopped")
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		if before != "" {
			if _, err := io.WriteString(out, before); err != nil {
				t.Fatal(err)
			}
		}
		cancel(stop)
		if err := <-ended; !errors.Is(err, stop) {
			t.Errorf("%s: %v", name, err)
		}
		_ = out.Close()
	}
}

// Memory does not grow with the stream.
func TestReaderMemoryIsBounded(t *testing.T) {
	line := []byte("12345678,Example,Ada,12 Invented Street,Ottawa,ON,K1A 0B1\n")
	block := bytes.Repeat(line, 1<<14)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	records := 0
	err := read(io.MultiReader(bytes.NewReader([]byte("id\n")), &repeated{block: block, left: 200 * len(block)}), Config{Columns: []string{"id"}}, Options{}, func(b *Block) { records += b.Records })
	runtime.ReadMemStats(&after)
	if err != nil || records != 200<<14 {
		t.Fatalf("%d records, %v", records, err)
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 64<<20 {
		t.Errorf("%d MiB allocated for a stream of %d MiB", allocated>>20, 200*len(block)>>20)
	}
}

// repeated is a stream of so many bytes: a block again and again.
type repeated struct {
	block []byte
	left  int
	at    int
}

func (r *repeated) Read(b []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), r.left)], r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	r.left -= n
	return n, nil
}
