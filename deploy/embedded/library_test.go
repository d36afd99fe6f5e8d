package embedded

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
)

func testFetcher(cache, integrity string) *fetcher {
	return &fetcher{
		cache: cache, version: "1.2.3", platform: "linux/test", npm: "npm",
		library: library{"@example/lib", integrity}, log: zerolog.Nop(),
	}
}

// archive writes a package with one file in it, and returns its path and npm's form of its integrity.
func archive(t *testing.T, name, content string) (path, integrity string) {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	entries := tar.NewWriter(zip)
	for _, entry := range [][2]string{{"package/package.json", "{}"}, {name, content}} {
		if err := entries.WriteHeader(&tar.Header{Name: entry[0], Mode: 0o644, Size: int64(len(entry[1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := entries.Write([]byte(entry[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(entries.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "lib.tgz")
	if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512(packed.Bytes())
	return path, "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

// npm puts a program of that name before all others on the PATH; body is its shell script, in which $dest
// is where the archive is wanted. The returned folder is $here in the script.
func npm(t *testing.T, body string) (here string) {
	t.Helper()
	here = t.TempDir()
	script := "#!/bin/sh\nhere='" + here + "'\necho \"$@\" >> \"$here/calls\"\n" +
		"while [ $# -gt 1 ]; do [ \"$1\" = --pack-destination ] && dest=$2; shift; done\n" + body + "\n"
	if err := os.WriteFile(filepath.Join(here, "npm"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", here+string(os.PathListSeparator)+os.Getenv("PATH"))
	return here
}

func calls(t *testing.T, here string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(here, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func fifo(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
}

// leftovers are the files of the cache that are neither the lock nor the library.
func leftovers(t *testing.T, cache string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(cache, workFolder+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestFetchBringsTheLibraryOnce(t *testing.T) {
	packed, integrity := archive(t, "package/libchdb.so", "the library")
	here := npm(t, "cp '"+packed+"' \"$dest/x.tgz\"")
	f := testFetcher(t.TempDir(), integrity)
	for range 2 {
		path, err := f.fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil || string(text) != "the library" {
			t.Errorf("%q, %v", text, err)
		}
		if path != filepath.Join(f.cache, "1.2.3", "libchdb.so") {
			t.Errorf("it is at %s", path)
		}
	}
	made := calls(t, here)
	if len(made) != 1 || !strings.HasPrefix(made[0], "pack @example/lib@1.2.3 ") {
		t.Errorf("npm was called with %q", made)
	}
	if left := leftovers(t, f.cache); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Several processes that want the library at a time bring it once, and each gets it.
func TestFetchByManyProcessesAtOnce(t *testing.T) {
	packed, integrity := archive(t, "package/libchdb.so", "the library")
	here := npm(t, "read go < \"$here/go\"; cp '"+packed+"' \"$dest/x.tgz\"")
	fifo(t, filepath.Join(here, "go"))
	cache := t.TempDir()
	var processes []helper
	for range 4 {
		processes = append(processes, startHelper(t, "fetch", nil, cache, integrity))
	}
	var word string
	for _, p := range processes {
		p.hear(t, &word)
	}
	if err := os.WriteFile(filepath.Join(here, "go"), []byte("go\n"), 0); err != nil { // returns when npm has read it
		t.Fatal(err)
	}
	for _, p := range processes {
		p.hear(t, &word)
		if word != filepath.Join(cache, "1.2.3", "libchdb.so") {
			t.Errorf("it is at %s", word)
		}
	}
	if made := calls(t, here); len(made) != 1 {
		t.Errorf("npm was called %d times", len(made))
	}
}

// A process that is killed while it fetches leaves nothing that the next one trips over, or keeps.
func TestFetchAfterAKilledOne(t *testing.T) {
	packed, integrity := archive(t, "package/libchdb.so", "the library")
	here := npm(t, "echo half > \"$dest/x.tgz\"; if [ ! -e \"$here/second\" ]; then echo > \"$here/began\"; read go < \"$here/go\"; fi; cp '"+packed+"' \"$dest/x.tgz\"")
	fifo(t, filepath.Join(here, "began"))
	fifo(t, filepath.Join(here, "go"))
	cache := t.TempDir()
	first := startHelper(t, "fetch", nil, cache, integrity)
	if _, err := os.ReadFile(filepath.Join(here, "began")); err != nil {
		t.Fatal(err)
	}
	first.kill(t)
	if left := leftovers(t, cache); len(left) != 1 {
		t.Fatalf("the killed one left %v: this test shows nothing", left)
	}
	if err := os.WriteFile(filepath.Join(here, "second"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := testFetcher(cache, integrity).fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "the library" {
		t.Errorf("%q, %v", text, err)
	}
	if left := leftovers(t, cache); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Bytes that are not the pinned ones are not used, and not kept.
func TestFetchRefusesOtherBytes(t *testing.T) {
	packed, _ := archive(t, "package/libchdb.so", "something else")
	_, integrity := archive(t, "package/libchdb.so", "the library")
	npm(t, "cp '"+packed+"' \"$dest/x.tgz\"")
	f := testFetcher(t.TempDir(), integrity)
	_, err := f.fetch(t.Context())
	if !errors.Is(err, ErrIntegrity) {
		t.Errorf("%v", err)
	}
	isOneLine(t, err, "@example/lib@1.2.3", integrity, "three ways out")
	if there(filepath.Join(f.cache, f.version, libraryName)) || len(leftovers(t, f.cache)) > 0 {
		t.Error("something of it was kept")
	}
}

func TestFetchSaysWhatToDo(t *testing.T) {
	packed, integrity := archive(t, "package/other.so", "not the library")
	for name, c := range map[string]struct {
		npm    string // "": not on the PATH
		change func(*fetcher)
		words  []string
	}{
		"no npm":          {"", func(*fetcher) {}, []string{"npm is not on the PATH", "--clickhouse", "`clickhouse` binary on the PATH", "install npm"}},
		"npm fails":       {"echo first >&2; echo 'npm error 404' >&2; exit 1", func(*fetcher) {}, []string{"npm error 404", "exit status 1", "three ways out"}},
		"npm brings none": {"exit 0", func(*fetcher) {}, []string{"brought 0 archives"}},
		"no library":      {"cp '" + packed + "' \"$dest/x.tgz\"", func(*fetcher) {}, []string{"no package/libchdb.so in the archive"}},
		"not pinned":      {"exit 1", func(f *fetcher) { f.library.integrity = "" }, []string{"@example/lib@1.2.3", "linux/test", "no pinned integrity", "three ways out"}},
		"unknown":         {"exit 1", func(f *fetcher) { f.library = library{} }, []string{"no library is known for linux/test", "three ways out"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.npm == "" {
				t.Setenv("PATH", t.TempDir())
			} else {
				npm(t, c.npm)
			}
			f := testFetcher(t.TempDir(), integrity)
			c.change(f)
			_, err := f.fetch(t.Context())
			isOneLine(t, err, c.words...)
		})
	}
}

// Every platform that ClickHouse can be fetched for has a pinned integrity of the right form, or is named only.
func TestLibrariesArePinned(t *testing.T) {
	for platform, l := range libraries {
		if l.pkg == "" {
			t.Errorf("%s: no package", platform)
		}
		if l.integrity == "" {
			continue
		}
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(l.integrity, "sha512-"))
		if err != nil || len(sum) != sha512.Size || !strings.HasPrefix(l.integrity, "sha512-") {
			t.Errorf("%s: %q is no SHA-512 in npm's form", platform, l.integrity)
		}
	}
	if libraries["linux/amd64"].integrity == "" {
		t.Error("linux/amd64 is not pinned")
	}
}

func TestProgressIsOneLine(t *testing.T) {
	var terminal bytes.Buffer
	f := testFetcher(t.TempDir(), "")
	f.progress = &terminal
	f.show("fetching")()
	if text := terminal.String(); !strings.HasPrefix(text, "\rfetching") || strings.Contains(text, "\n") || !strings.HasSuffix(text, "\r") {
		t.Errorf("%q", text)
	}
}
