package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/cmd/internal/demo"
)

// The demo's last words can be typed as they are: with the program as it was called.
func TestTheDemoSaysHowToGoOn(t *testing.T) {
	called := os.Args[0]
	defer func() { os.Args[0] = called }()
	os.Args[0] = "bin/rolltrace"
	var out bytes.Buffer
	if err := writeReport(&out, &demo.Report{Data: "/tmp/a demo", Answers: &demo.Answers{}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n  bin/rolltrace up --data '/tmp/a demo/centre'\n", "\n  bin/rolltrace movements --from party-a --data '/tmp/a demo/centre'\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, out.String())
		}
	}
}
