package embedded

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/rs/zerolog"
)

// LibraryVersion is the version of the npm packages that the engine is taken from (ClickHouse 26.7).
const LibraryVersion = "26.7.3-stable.1"

const libraryName = "libchdb.so"

// workFolder begins the names of the folders that a fetch works in.
const workFolder = ".fetch-"

// threeWays ends every error that means "no ClickHouse here": the reader has three ways out.
const threeWays = "three ways out: give the DSN of a ClickHouse you have (--clickhouse), put a `clickhouse` binary on the PATH, or install npm, through which its library is fetched once"

// A library is one platform's package. Without a pinned integrity it is named, never fetched.
type library struct {
	pkg       string
	integrity string // npm's form: "sha512-" and the base64 of the SHA-512 of the .tgz
}

var libraries = map[string]library{
	"linux/amd64": {"@chdb/lib-linux-x64-gnu",
		"sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw=="},
	"linux/arm64":  {pkg: "@chdb/lib-linux-arm64-gnu"},
	"darwin/arm64": {pkg: "@chdb/lib-darwin-arm64"},
	"darwin/amd64": {pkg: "@chdb/lib-darwin-x64"},
}

// ErrIntegrity is the error of a package whose bytes are not the pinned ones. Nothing of it was kept.
var ErrIntegrity = errors.New("integrity check")

// A fetcher brings one library into a cache folder, once, whoever asks and however many ask at a time.
type fetcher struct {
	cache    string // folder; the library ends up in <cache>/<version>/
	version  string
	platform string
	library  library
	npm      string
	progress io.Writer // a terminal, or nil
	log      zerolog.Logger
}

func newFetcher(progress io.Writer, log zerolog.Logger) (*fetcher, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("find the user's cache folder: %w (set XDG_CACHE_HOME or HOME)", err)
	}
	platform := runtime.GOOS + "/" + runtime.GOARCH
	return &fetcher{
		cache:    filepath.Join(cache, "rolltrace", "chdb"),
		version:  LibraryVersion,
		platform: platform,
		library:  libraries[platform],
		npm:      "npm",
		progress: progress,
		log:      log,
	}, nil
}

// fetch returns the path of the library, and brings it first if it is not there. Two processes at once
// are safe: one fetches under a lock, the other waits for it (until ctx ends). The file appears whole, by
// a rename, after its package passed the integrity check.
func (f *fetcher) fetch(ctx context.Context) (string, error) {
	path := filepath.Join(f.cache, f.version, libraryName)
	if there(path) {
		return path, nil
	}
	if f.library.pkg == "" {
		return "", fmt.Errorf("get ClickHouse: no library is known for %s; %s", f.platform, threeWays)
	}
	if f.library.integrity == "" {
		return "", fmt.Errorf("get ClickHouse: %s@%s for %s has no pinned integrity, so it is not fetched; %s",
			f.library.pkg, f.version, f.platform, threeWays)
	}
	npm, err := exec.LookPath(f.npm)
	if err != nil {
		return "", fmt.Errorf("get ClickHouse: npm is not on the PATH; %s", threeWays)
	}
	if err := os.MkdirAll(f.cache, 0o755); err != nil {
		return "", fmt.Errorf("get ClickHouse: %w", err)
	}
	lock := flock.New(filepath.Join(f.cache, f.version+".lock"))
	if _, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return "", fmt.Errorf("get ClickHouse: wait for the process that is fetching it (%s): %w", lock.Path(), err)
	}
	defer func() { _ = lock.Unlock() }()
	if there(path) {
		return path, nil
	}
	f.sweep()
	if err := f.bring(ctx, npm, path); err != nil {
		return "", fmt.Errorf("get ClickHouse: %w", err)
	}
	return path, nil
}

func there(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// sweep removes what a fetch that was killed left behind; the lock says that no other is on its way.
func (f *fetcher) sweep() {
	left, err := filepath.Glob(filepath.Join(f.cache, workFolder+f.version+"-*"))
	if err != nil {
		return
	}
	for _, folder := range left {
		_ = os.RemoveAll(folder)
	}
}

// bring fetches, checks and unpacks, in a folder beside the final one so that the last step is a rename.
func (f *fetcher) bring(ctx context.Context, npm, path string) error {
	started := time.Now()
	f.log.Info().Str("package", f.library.pkg+"@"+f.version).Str("to", path).Msg("fetching the ClickHouse library through npm, once (159 MB)")
	work, err := os.MkdirTemp(f.cache, workFolder+f.version+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	show := f.show("fetching ClickHouse through npm, once (159 MB)")
	archive, err := f.pack(ctx, npm, work)
	show()
	if err != nil {
		return err
	}
	show = f.show("unpacking ClickHouse (566 MB)")
	defer show()
	if err := verify(archive, f.library.integrity); err != nil {
		return fmt.Errorf("%s@%s: %w", f.library.pkg, f.version, err)
	}
	unpacked := filepath.Join(work, libraryName)
	if err := unpack(ctx, archive, "package/"+libraryName, unpacked); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Rename(unpacked, path); err != nil {
		return err
	}
	f.log.Info().Dur("took_ms", time.Since(started)).Msg("the ClickHouse library is there")
	return nil
}

// pack runs `npm pack`, through the client's own settings, and returns the archive's path.
func (f *fetcher) pack(ctx context.Context, npm, work string) (string, error) {
	spec := f.library.pkg + "@" + f.version
	cmd := exec.CommandContext(ctx, npm, "pack", spec, "--silent", "--ignore-scripts", "--pack-destination", work)
	cmd.Dir = work
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	cmd.WaitDelay = 5 * time.Second
	runtime.LockOSThread() // tieToParent wants it
	defer runtime.UnlockOSThread()
	tieToParent(cmd)
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("npm pack %s: %w: %s; %s", spec, err, lastLine(complaint.Bytes()), threeWays)
	}
	archives, err := filepath.Glob(filepath.Join(work, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return "", fmt.Errorf("npm pack %s: brought %d archives, want 1", spec, len(archives))
	}
	return archives[0], nil
}

// verify checks the archive against npm's form of an integrity.
func verify(archive, integrity string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	hash := sha512.New()
	if _, err := io.Copy(hash, file); err != nil {
		return fmt.Errorf("read the archive: %w", err)
	}
	have := "sha512-" + base64.StdEncoding.EncodeToString(hash.Sum(nil))
	if have != integrity {
		return fmt.Errorf("%w: have %s, want %s; nothing of it was kept: look at npm's registry settings, or use another ClickHouse (%s)",
			ErrIntegrity, have, integrity, threeWays)
	}
	return nil
}

// unpack writes one file of the archive, synced, readable and executable by all.
func unpack(ctx context.Context, archive, name, to string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	zip, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	entries := tar.NewReader(zip)
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("unpack: no %s in the archive", name)
		}
		if err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
		if header.Name == name {
			return writeSynced(to, &untilDone{ctx, entries})
		}
	}
}

func writeSynced(path string, from io.Reader) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	if err == nil {
		err = out.Sync()
	}
	if closed := out.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// untilDone is a reader that ends with its context.
type untilDone struct {
	ctx  context.Context
	from io.Reader
}

func (r *untilDone) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}

// show keeps one line with the seconds gone on the terminal, until the returned function ends it.
func (f *fetcher) show(what string) func() {
	if f.progress == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for seconds := 0; ; seconds++ {
			fmt.Fprintf(f.progress, "\r%s … %d s", what, seconds)
			select {
			case <-tick.C:
			case <-done:
				fmt.Fprintf(f.progress, "\r%s\r", strings.Repeat(" ", len(what)+16))
				return
			}
		}
	}()
	return func() {
		select {
		case <-done:
		default:
			close(done)
			<-ended
		}
	}
}

// lastLine is the last line of a program's complaint that says something.
func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
