package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/producers/pseudonym"
)

// BenchmarkTee passes lists of invented people through the program as a process, every promise kept, with its own outbox and
// the hub away, against `cat FILE | cat > /dev/null`, in interleaved rounds: from a file (tee < FILE) and through a pipe
// (cat FILE | tee), one of 370 MB without quotes, and one of 1.2 GB in which each record has a quoted field with the
// delimiter in it. "x_cat" is the ratio of throughputs (median time of cat over median time of tee: 1 is as fast as cat),
// "peak_MiB" the most memory that a tee took (VmHWM). tee needs two processors for what it measures here.
func BenchmarkTee(b *testing.B) {
	dir := b.TempDir()
	key := filepath.Join(dir, "key.json")
	if err := os.WriteFile(key, pseudonym.NewSecret().KeyFile(), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, shape := range []struct {
		name, address string
		people        int
	}{
		{"unquoted", "%d Invented Street", 5_600_000},
		{"quoted", `"%d Invented Street, Unit 12"`, 16_000_000},
	} {
		b.Run(shape.name, func(b *testing.B) {
			list := filepath.Join(dir, "list.csv")
			size := writeList(b, list, shape.people, shape.address)
			b.Run("file", func(b *testing.B) { benchmarkTee(b, dir, size, "exec \"$@\" < "+list) })
			b.Run("pipe", func(b *testing.B) { benchmarkTee(b, dir, size, "cat "+list+" | \"$@\"") })
		})
	}
}

func benchmarkTee(b *testing.B, dir string, size int64, script string) {
	b.SetBytes(size)
	var cats, tees []time.Duration
	var peak int64
	for b.Loop() {
		cat, _ := timeShell(b, `cat "$1" | cat`, filepath.Join(dir, "list.csv"))
		outbox := filepath.Join(dir, "outbox")
		tee, memory := timeShell(b, script, os.Args[0], "tee", "--kind", "share", "--from", "party-a/crm/voters", "--to",
			"acme-mail/uploads/list.csv", "--id", "elector_id", "--sidecar", "field-db-1", "--outbox", outbox,
			"--key", filepath.Join(dir, "key.json"), "--nats", "nats://127.0.0.1:1")
		cats, tees, peak = append(cats, cat), append(tees, tee), max(peak, memory)
		if err := os.RemoveAll(outbox); err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(cats)
	slices.Sort(tees)
	cat, tee := cats[len(cats)/2], tees[len(tees)/2]
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(cat.Seconds(), "cat_s")
	b.ReportMetric(tee.Seconds(), "tee_s")
	b.ReportMetric(cat.Seconds()/tee.Seconds(), "x_cat")
	b.ReportMetric(float64(peak)/(1<<20), "peak_MiB")
}

// timeShell runs a script of the shell, its output thrown away, and says how long it took and the most memory that one of its
// processes did.
func timeShell(b *testing.B, script string, args ...string) (took time.Duration, peak int64) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	p := exec.Command("sh", append([]string{"-c", script, "sh"}, args...)...)
	p.Env = append(os.Environ(), processEnv+"=1")
	p.Stdout = null
	began := time.Now()
	if err := p.Run(); err != nil {
		b.Fatal(err)
	}
	took = time.Since(began)
	if usage, ok := p.ProcessState.SysUsage().(*syscall.Rusage); ok {
		peak = usage.Maxrss * 1024 // in KiB on Linux
	}
	return took, peak
}

func writeList(b *testing.B, path string, people int, address string) int64 {
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	out := bufio.NewWriterSize(file, 1<<20)
	_, _ = out.WriteString("elector_id,last_name,first_name,address,city,province,postal_code,poll\n") // Flush has the error
	for i := range people {
		fmt.Fprintf(out, "%08d,Example%d,Ada,"+address+",Ottawa,ON,K1A 0B1,%d\n", (i*7919+12345)%100_000_000, i%1000, i%9999, i%500)
	}
	if err := out.Flush(); err != nil {
		b.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		b.Fatal(err)
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
	return info.Size()
}
