package embedded

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/ebitengine/purego"
)

// childEnv makes this binary the engine: its value is the path of libchdb.so.
const childEnv = "ROLLTRACE_EMBEDDED_CLICKHOUSE"

// File descriptors of the engine's process. The parent gives lifeline (it reads end-of-file when the
// parent is gone) and the data folder's lock; keepalive is what
// the engine's last statement reads from: clickhouse/start.sql names it.
const (
	lifelineFD  = 3
	keepaliveFD = 60
)

// Child turns this process into the ClickHouse engine, and ends it, when it was started as such by
// StartClickHouse; otherwise it returns at once. It must be the first call of main, and of TestMain.
// It is the one place outside main that calls os.Exit: nothing of the program must run in the engine.
func Child() {
	library := os.Getenv(childEnv)
	if library == "" {
		return
	}
	if err := runEngine(library, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// runEngine runs ClickHouse until SIGTERM or the end of the parent. The engine's last statement reads a
// pipe of ours, so closing that pipe is a clean stop: the statement ends, and the engine shuts down.
//
// Standard input is a terminal, because without one the engine takes itself for a script and aborts on
// every error of a connection: a wrong password, or a client that is killed, would end the server
// (ClickHouse issue 115666, mended in 26.8). Where there is no terminal to be had it runs all the same.
func runEngine(library string, args []string) error {
	runtime.LockOSThread()
	syscall.Umask(0o077) // a server reads it from its settings, the library does not
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("open keep-alive pipe: %w", err)
	}
	if err := dup(int(read.Fd()), keepaliveFD); err != nil {
		return fmt.Errorf("open keep-alive pipe: %w", err)
	}
	terminal, err := openTerminal()
	if err != nil {
		fmt.Fprintln(os.Stderr, "no terminal for the engine, a connection's error will restart it:", err)
	}
	go func() {
		terminate := make(chan os.Signal, 1)
		signal.Notify(terminate, syscall.SIGTERM)
		signal.Ignore(syscall.SIGINT, syscall.SIGHUP) // a terminal's Ctrl-C reaches the parent, which stops us
		orphaned := make(chan struct{})
		go func() {
			_, _ = io.Copy(io.Discard, os.NewFile(lifelineFD, "lifeline"))
			close(orphaned)
		}()
		select {
		case <-terminate:
		case <-orphaned:
		}
		_ = write.Close()
		_ = terminal.Close() // nil, where there is none, is closed already
	}()
	err = queryCommandLine(library, append([]string{"clickhouse"}, args...))
	runtime.KeepAlive(read)
	runtime.KeepAlive(write)
	return err
}

// queryCommandLine calls the library's chdb_query_cmdline, which runs the whole `clickhouse local`
// program. The arguments stay pinned for good: the engine keeps pointers to them.
//
// They are pinned by a variable of the package: a Pinner that the garbage collector finds unused while it still
// pins ends the process with a panic.
func queryCommandLine(library string, args []string) error {
	handle, err := purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return fmt.Errorf("load %s: %w", library, err)
	}
	var call func(argc int32, argv unsafe.Pointer) uintptr
	var complaint func(result uintptr) string
	if err := register(handle, "chdb_query_cmdline", &call); err != nil {
		return err
	}
	if err := register(handle, "chdb_result_error", &complaint); err != nil {
		return err
	}
	argv := make([]*byte, len(args)+1)
	for i, arg := range args {
		text := append([]byte(arg), 0)
		pinned.Pin(&text[0])
		argv[i] = &text[0]
	}
	pinned.Pin(&argv[0])
	result := call(int32(len(args)), unsafe.Pointer(&argv[0]))
	if result == 0 {
		return nil
	}
	if text := complaint(result); text != "" {
		return fmt.Errorf("run the engine: %s", text)
	}
	return nil
}

// pinned holds the engine's arguments for as long as the process lives.
var pinned runtime.Pinner

// register binds one of the library's functions; purego's own way panics when it is not there.
func register(handle uintptr, name string, function any) error {
	entry, err := purego.Dlsym(handle, name)
	if err != nil {
		return fmt.Errorf("find %s in the library: %w", name, err)
	}
	purego.RegisterFunc(function, entry)
	return nil
}
