package delimited

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The processor's own way marks what the portable way marks, and both what stands there.
func TestClassify(t *testing.T) {
	letters := rapid.SampledFrom([]byte(",,\"\"\n\n\rab\x00\xff\x2b\x8a\xa2"))
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.IntRange(0, 5).Draw(t, "groups")
		text := rapid.SliceOfN(letters, groups*groupBytes, groups*groupBytes+70).Draw(t, "text")
		fast, portable := make([]groupMasks, groups), make([]groupMasks, groups)
		classify(fast, text, ',', '\n')
		classifyWords(portable, text, ',', '\n')
		if !slices.Equal(fast, portable) {
			t.Fatalf("%q:\n%x\n%x", text, fast, portable)
		}
		for i, c := range text[:groups*groupBytes] {
			m, bit := fast[i/groupBytes], uint(i%groupBytes)
			if m.delimiters>>bit&1 == 1 != (c == ',') || m.quotes>>bit&1 == 1 != (c == '"') || m.eols>>bit&1 == 1 != (c == '\n') {
				t.Fatalf("byte %d, %q: %b", i, c, m)
			}
		}
	})
}

// Records of every length, quoted and not, so that their ends and quotes fall on every byte of a group.
func TestEveryAlignment(t *testing.T) {
	for length := range 200 {
		filler := strings.Repeat("x", length)
		for _, quoted := range []string{filler, "\"" + filler + "\"", "\"" + filler + "\n,\"\"\"", "\"\"\"" + filler + "\"", "a\"" + filler} {
			for _, end := range []string{"\n", "\r\n"} {
				text := []byte(strings.Repeat(quoted+",7,\"8\""+end, 5))
				for _, step := range []int{0, 1, 63, 64, 65} {
					got := scanAll(t, Config{NoHeader: true, Columns: []string{"2", "3"}}, text, step)
					if got.err != nil || got.records != 5 || strings.Join(got.ids[0], "") != "77777" || strings.Join(got.ids[1], "") != "88888" {
						t.Fatalf("%q, step %d: %+v", quoted, step, got)
					}
				}
			}
		}
	}
}

// Records that end about where a chunk does, that are longer than one, and that are all of it.
func TestEveryChunkEnd(t *testing.T) {
	for _, end := range []string{"\n", "\r\n"} {
		for length := chunkBytes - 80; length < chunkBytes+80; length++ {
			filler := strings.Repeat("x", length)
			for _, first := range []string{filler, "\"" + filler + "\n,\"\"\"", "a\"" + filler} {
				text := []byte(strings.Repeat("y,7,\"8\""+end, 3) + first + ",7,\"8\"" + end + strings.Repeat("\"y\",7,\"8\""+end+end, 3))
				got := scanAll(t, Config{NoHeader: true, Columns: []string{"2", "3"}}, text, 0)
				if got.err != nil || got.records != 7 || strings.Join(got.ids[0], "") != "7777777" || strings.Join(got.ids[1], "") != "8888888" {
					t.Fatalf("%d bytes, beginning with %.3q: %d records, %.20q, %v", length, first, got.records, got.ids, got.err)
				}
			}
		}
	}
	text := []byte(strings.Repeat("\n", 2*chunkBytes) + "7,8\n" + strings.Repeat("\n", chunkBytes))
	if got := scanAll(t, Config{NoHeader: true, Columns: []string{"1", "2"}}, text, 0); got.err != nil || got.records != 1 || strings.Join(got.ids[1], "") != "8" {
		t.Fatalf("empty lines: %d records, %.20q, %v", got.records, got.ids, got.err)
	}
}
