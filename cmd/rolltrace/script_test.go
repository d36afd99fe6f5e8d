package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rolltrace/rolltrace/cmd/internal/centre"
	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/stream"
)

// programs builds the three real programs, once for this test binary, and returns their folder.
var programs = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "rolltrace-bin-")
	if err != nil {
		return "", err
	}
	built = folder
	build := exec.Command("go", "build", "-o", folder+string(filepath.Separator), "../...")
	if said, err := build.CombinedOutput(); err != nil {
		return folder, fmt.Errorf("build the programs: %w: %s", err, said)
	}
	return folder, nil
})

// built is the folder of the programs, once they are built.
var built string

func TestMain(m *testing.M) {
	embedded.Child()
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// TestScript runs the command line end to end: each file in testdata/script is a session.
func TestScript(t *testing.T) {
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			// The ClickHouse library is fetched once for all.
			env.Setenv("XDG_CACHE_HOME", home)
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, "data"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sigterm": sigterm,
			"settled": settled,
			"hub": func(ts *testscript.TestScript, neg bool, args []string) {
				fromInfo(ts, neg, args, func(info centre.Info) string { return info.NATS })
			},
			"badpassword": func(ts *testscript.TestScript, neg bool, args []string) {
				fromInfo(ts, neg, args, func(info centre.Info) string {
					return regexp.MustCompile(`:[^:@]*@`).ReplaceAllString(info.Reader(), ":wrong-password@")
				})
			},
			"defaultuser": func(ts *testscript.TestScript, neg bool, args []string) {
				fromInfo(ts, neg, args, func(info centre.Info) string {
					return regexp.MustCompile(`//[^@]*@`).ReplaceAllString(info.Reader(), "//default:wrong-password@")
				})
			},
			"key":      key,
			"report":   reportFiles,
			"movement": movement,
			"part":     part,
			"publish":  publish,
			"occupy":   occupy,
			"appears":  appears,
			"code":     code,
			"no":       no,
			"wrong":    wrong,
			"each":     each,
			"times":    times,
		},
	})
}

// settled FOLDER waits until the centre that runs on a data folder has brought everything that is at its hub
// into ClickHouse.
func settled(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: settled FOLDER")
	}
	info, err := centre.ReadInfo(ts.MkAbs(args[0]))
	ts.Check(err)
	conn, err := nats.Connect(info.NATS)
	ts.Check(err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	ts.Check(err)
	ctx := context.Background()
	log, err := stream.Open(ctx, js)
	ts.Check(err)
	database, err := graph.Open(info.Reader())
	ts.Check(err)
	defer func() { _ = database.Close() }()
	questions := graph.New(database, graph.Config{})
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for ; ; <-look.C {
		progress, err := questions.Progress(ctx)
		ts.Check(err)
		if len(progress) == 1 && progress[0].Derived >= log.Stream.CachedInfo().State.LastSeq {
			return
		}
	}
}

// fromInfo FOLDER VARIABLE sets the variable to something that centre.json says.
func fromInfo(ts *testscript.TestScript, neg bool, args []string, what func(centre.Info) string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: COMMAND FOLDER VARIABLE")
	}
	info, err := centre.ReadInfo(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Setenv(args[1], what(info))
}

// key FILE VARIABLE sets the variable to the elector key of a dossier.
func key(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: key FILE VARIABLE")
	}
	var dossier graph.Dossier
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &dossier))
	ts.Setenv(args[1], dossier.Elector.Key)
}

// movement FILE VARIABLE sets the variable to the id of the first movement of an answer.
func movement(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: movement FILE VARIABLE")
	}
	var answer graph.Movements
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &answer))
	if len(answer.Movements) == 0 {
		ts.Fatalf("%s: no movements", args[0])
	}
	ts.Setenv(args[1], answer.Movements[0].ID)
}

// publish FOLDER SUBJECT TEXT puts a message into the log of the centre that runs on a data folder.
func publish(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: publish FOLDER SUBJECT TEXT")
	}
	info, err := centre.ReadInfo(ts.MkAbs(args[0]))
	ts.Check(err)
	conn, err := nats.Connect(info.NATS)
	ts.Check(err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	ts.Check(err)
	_, err = js.Publish(context.Background(), args[1], []byte(args[2]))
	ts.Check(err)
}

// occupy VARIABLE listens on a free port of loopback until the session ends, and sets the variable to its
// address.
func occupy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: occupy VARIABLE")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = listener.Close() })
	ts.Setenv(args[0], listener.Addr().String())
}

// appears FILE waits until a file is there, as long as the test may run.
func appears(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: appears FILE")
	}
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for ; ; <-look.C { // until the file is there, or the test's time is over
		_, err := os.Stat(ts.MkAbs(args[0]))
		if err == nil {
			return
		}
		if !errors.Is(err, fs.ErrNotExist) {
			ts.Check(err)
		}
	}
}

// sigterm FOLDER sends SIGTERM to the centre that runs on a data folder.
func sigterm(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sigterm FOLDER")
	}
	info, err := centre.ReadInfo(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(syscall.Kill(info.PID, syscall.SIGTERM))
}

// code N PROGRAM ARG… runs a program and wants this exit code.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM ARG…")
	}
	err := ts.Exec(args[1], args[2:]...)
	have := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		have = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(have) != args[0] {
		ts.Fatalf("exit code %d, want %s", have, args[0])
	}
}
