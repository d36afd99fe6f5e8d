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

// BenchmarkTee passes a list of 5.6 million invented people (about 370 MB) through the program as a process, every promise
// kept, with its own outbox and the hub away, against `cat FILE | cat > /dev/null`, in interleaved rounds. "x_cat" is the
// ratio of throughputs (median time of cat over median time of tee: 1 is as fast as cat), "peak_MiB" the most memory that
// a tee took.
func BenchmarkTee(b *testing.B) {
	dir := b.TempDir()
	list, key := filepath.Join(dir, "list.csv"), filepath.Join(dir, "key.json")
	if err := os.WriteFile(key, pseudonym.NewSecret().KeyFile(), 0o600); err != nil {
		b.Fatal(err)
	}
	size := writeList(b, list, 5_600_000)
	b.SetBytes(size)
	var cats, tees []time.Duration
	var peak int64
	for b.Loop() {
		began := time.Now()
		if said, err := exec.Command("sh", "-c", `cat "$1" | cat > /dev/null`, "sh", list).CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, said)
		}
		cats = append(cats, time.Since(began))
		outbox := filepath.Join(dir, "outbox")
		took, memory := teeOnce(b, list, key, outbox)
		tees, peak = append(tees, took), max(peak, memory)
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

func teeOnce(b *testing.B, list, key, outbox string) (took time.Duration, peak int64) {
	in, err := os.Open(list)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	p := exec.Command(os.Args[0], "tee", "--kind", "share", "--from", "party-a/crm/voters", "--to", "acme-mail/uploads/list.csv",
		"--id", "elector_id", "--sidecar", "field-db-1", "--outbox", outbox, "--key", key, "--nats", "nats://127.0.0.1:1")
	p.Env = append(os.Environ(), processEnv+"=1")
	p.Stdin, p.Stdout = in, null
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

func writeList(b *testing.B, path string, people int) int64 {
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	out := bufio.NewWriterSize(file, 1<<20)
	_, _ = out.WriteString("elector_id,last_name,first_name,address,city,province,postal_code,poll\n") // Flush has the error
	for i := range people {
		fmt.Fprintf(out, "%08d,Example%d,Ada,%d Invented Street,Ottawa,ON,K1A 0B1,%d\n", (i*7919+12345)%100_000_000, i%1000, i%9999, i%500)
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
