package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
	"github.com/rolltrace/rolltrace/cmd/internal/config"
	"github.com/rolltrace/rolltrace/cmd/internal/logging"
)

type settings struct {
	NATS    config.Address  `yaml:"nats" doc:"URL of the hub"`
	Outbox  string          `yaml:"outbox" doc:"folder of the outbox"`
	Timeout config.Duration `yaml:"timeout" doc:"how long a full outbox blocks"`
	Limit   config.Size     `yaml:"limit" doc:"largest size of the outbox"`
	Token   config.Secret   `yaml:"token" doc:"token of the listener"`
	Pass    bool            `yaml:"pass" doc:"let data pass"`
	Workers uint16          `yaml:"workers" doc:"how many at once"`
	Fields  []string        `yaml:"fields" doc:"field categories" flag:"field"`
	Tables  []table         `yaml:"tables" doc:"tables with identifiers"`
	Log     logging.Config  `yaml:"log"`
}

type table struct {
	Name string   `yaml:"name"`
	IDs  []string `yaml:"ids"`
}

func defaults() settings {
	return settings{Outbox: "/var/outbox", Timeout: config.Duration(5 * time.Minute), Limit: 64 << 20, Workers: 2, Log: logging.Default()}
}

// load runs the loader as a program does.
func load(t *testing.T, file string, environ, args []string) (settings, string, error) {
	t.Helper()
	got := defaults()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	loader := config.Bind(flags, &got)
	loader.Environ = environ
	if file != "" {
		path := filepath.Join(t.TempDir(), "settings.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	if err := flags.Parse(args); err != nil {
		return got, "", err
	}
	var out bytes.Buffer
	_, err := loader.Load(&out)
	return got, out.String(), err
}

func TestLayersOverrideInOrder(t *testing.T) {
	file := "outbox: /file\ntimeout: 1s\nlimit: 1GiB\nfields: [a, b]\nlog:\n  level: warn\n" +
		"tables:\n  - name: voters\n    ids: [elector_id]\n  - name: donors\n"
	_, _, err := load(t, file, []string{"ROLLTRACE_TIMEOUT=2s", "ROLLTRACE_LIMIT=2GB", "ROLLTRACE_FIELD=x", "HOME=/"}, []string{"--limit", "3kB"})
	if err == nil || !strings.Contains(err.Error(), "ROLLTRACE_FIELD, did you mean ROLLTRACE_FIELDS?") {
		t.Fatalf("a misspelt variable: %v", err)
	}
	got, _, err := load(t, file, []string{"ROLLTRACE_TIMEOUT=2s", "ROLLTRACE_LIMIT=2GB", "HOME=/"}, []string{"--limit", "3kB", "--pass"})
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.Outbox, want.Timeout, want.Limit, want.Pass = "/file", config.Duration(2*time.Second), 3000, true
	want.Fields, want.Log.Level = []string{"a", "b"}, logging.Warn
	want.Tables = []table{{"voters", []string{"elector_id"}}, {"donors", nil}}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("have %+v\nwant %+v", got, want)
	}
	got, _, err = load(t, file, []string{"ROLLTRACE_FIELDS=c, d"}, nil)
	if err != nil || fmt.Sprint(got.Fields) != "[c d]" {
		t.Errorf("list from the environment: %v, %v", got.Fields, err)
	}
	got, _, err = load(t, file, nil, []string{"--field", "e", "--field", "f,g"})
	if err != nil || fmt.Sprint(got.Fields) != "[e f g]" {
		t.Errorf("list from flags: %v, %v", got.Fields, err)
	}
}

// Every fault names what is wrong and where, and none repeats a secret.
func TestFaults(t *testing.T) {
	cases := []struct {
		name, file string
		environ    []string
		args       []string
		want       []string
	}{
		{name: "unknown key", file: "outbox: /x\noutbix: /y\n", want: []string{"settings.yaml:2:", `unknown key "outbix", did you mean outbox?`}},
		{name: "unknown nested key", file: "log:\n  levle: info\n", want: []string{":2:", `unknown key "log.levle", did you mean level?`}},
		{name: "unknown key in a list", file: "tables:\n - name: a\n   id: b\n", want: []string{":3:", `unknown key "tables[0].id"`}},
		{name: "key twice", file: "outbox: /x\noutbox: /y\n", want: []string{"outbox"}},
		{name: "no unit", file: "timeout: 5\n", want: []string{":1:", "timeout", `"5"`, "with its unit"}},
		{name: "negative", file: "timeout: -5s\n", want: []string{"timeout", "with its unit"}},
		{name: "size", file: "limit: 5 parsecs\n", want: []string{":1:", "limit", "512MiB"}},
		{name: "list for a value", file: "outbox: [a]\n", want: []string{":1:", "outbox: want one value"}},
		{name: "value for a list", file: "fields: a\n", want: []string{":1:", "fields: want a list"}},
		{name: "value for a mapping", file: "log: info\n", want: []string{":1:", "log: want keys"}},
		{name: "no value", file: "outbox:\n", want: []string{":1:", "outbox: has no value"}},
		{name: "not YAML", file: "outbox: [\n", want: []string{"settings.yaml", "line"}},
		{name: "two documents", file: "outbox: a\n---\noutbox: b\n", want: []string{"one YAML document"}},
		{name: "too large", file: "workers: 70000\n", want: []string{":1:", "workers", `"70000"`, "not as large"}},
		{name: "level", file: "log:\n  level: loud\n", want: []string{":2:", "log.level", `"loud"`, "debug, info, warn or error"}},
		{name: "environment", environ: []string{"ROLLTRACE_NO_SUCH_THING=1"}, want: []string{"ROLLTRACE_NO_SUCH_THING"}},
		{name: "environment value", environ: []string{"ROLLTRACE_PASS=maybe"}, want: []string{"ROLLTRACE_PASS", `"maybe"`, "true or false"}},
		{name: "flag value", args: []string{"--limit", "many"}, want: []string{"--limit", `"many"`}},
		{name: "bad URL", file: "nats: \"nats://u:hunter2@[\"\n", want: []string{":1:", "nats", "not a URL"}},
		{name: "secret file", file: "token: file:/no/such/file\n", want: []string{":1:", "token", "/no/such/file"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := load(t, c.file, c.environ, c.args)
			if err == nil {
				t.Fatal("no error")
			}
			if len(c.args) == 0 && !boot.IsWrong(err) {
				t.Errorf("not wrong usage: %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("have %q, want %q in it", err, want)
				}
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
				t.Errorf("a secret or a line break in %q", err)
			}
		})
	}
	if _, _, err := load(t, "", nil, []string{"--config", "/no/such/file"}); err == nil || boot.IsWrong(err) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, _, err := load(t, "", []string{"ROLLTRACE_CENTRE_PORT=tcp://10.0.0.1:4222", "ROLLTRACE_CENTRE_SERVICE_HOST=10.0.0.1"}, nil); err != nil {
		t.Errorf("what Kubernetes puts there: %v", err)
	}
}

// What Dump writes is a configuration file that gives the same configuration, but for the secrets.
func TestDumpReadsBackAndRedacts(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := "token: file:" + secret + "\nnats: nats://me:hunter2@127.0.0.1:4222,nats://hunter2@b:1\nlimit: 3MB\ntables: [{name: a, ids: [b]}]\n"
	first, dump, err := load(t, file, nil, []string{"--dump"})
	if err != nil {
		t.Fatal(err)
	}
	if first.Token.Reveal() != "hunter2" || !strings.Contains(first.NATS.Reveal(), "me:hunter2@") {
		t.Fatal("secrets were not read")
	}
	shown := dump + fmt.Sprintf("%v %+v %#v", first, first, first)
	if js, err := json.Marshal(first); err != nil {
		t.Fatal(err)
	} else {
		shown += string(js)
	}
	if strings.Contains(shown, "hunter2") {
		t.Errorf("a secret shows in:\n%s", shown)
	}
	for _, want := range []string{"# largest size of the outbox (ROLLTRACE_LIMIT, --limit)", "from ", "settings.yaml:3", "limit: 3MB", "level: info", "timeout: 5m\n", "redacted@b:1"} {
		if !strings.Contains(dump, want) {
			t.Errorf("want %q in\n%s", want, dump)
		}
	}
	second, _, err := load(t, dump, nil, nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, dump)
	}
	second.Token, second.NATS = first.Token, first.NATS
	if fmt.Sprintf("%+v", first) != fmt.Sprintf("%+v", second) {
		t.Errorf("have %+v\nwant %+v", second, first)
	}
}

func TestRedactURLKeepsSeveralHostsTogether(t *testing.T) {
	for given, want := range map[string]string{
		"":                                   "",
		"clickhouse://w:pw@a:1,b:2/x":        "clickhouse://w:redacted@a:1,b:2/x",
		"clickhouse://a:1/x?password=pw&y=1": "clickhouse://a:1/x?password=redacted&y=1",
		"nats://w:pw@a:1,nats://w:pw@b:1":    "nats://w:redacted@a:1,nats://w:redacted@b:1",
		"pw\x00":                             "(redacted)",
	} {
		if have := config.RedactURL(given); have != want {
			t.Errorf("%q: have %q, want %q", given, have, want)
		}
	}
}

func TestSizesAndDurationsReadBack(t *testing.T) {
	for text, want := range map[string]config.Size{"0": 0, "1KiB": 1024, "1kb": 1000, "1.5GiB": 3 << 29, "7B": 7, "2TB": 2e12} {
		var got, again config.Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s: have %d, %v", text, got, err)
		}
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
			t.Errorf("%s: %s reads back as %d, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"0s", "90s", "2h", "1h5m", "30m", "1.5s"} {
		var got, again config.Duration
		if err := got.UnmarshalText([]byte(text)); err != nil {
			t.Error(err)
		}
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
			t.Errorf("%s: %s reads back as %d, %v", text, got, again, err)
		}
	}
}

func TestAddressReadsItsPasswordFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "writer.password")
	if err := os.WriteFile(file, []byte("p@ss/word\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var a config.Address
	if err := a.UnmarshalText([]byte("clickhouse://writer@host:9000/rolltrace?compress=lz4&password_file=" + file)); err != nil {
		t.Fatal(err)
	}
	if want := "clickhouse://writer:p%40ss%2Fword@host:9000/rolltrace?compress=lz4"; a.Reveal() != want {
		t.Errorf("it is %q, want %q", a.Reveal(), want)
	}
	if strings.Contains(a.String(), "word") {
		t.Errorf("it shows its password: %s", a)
	}
	for _, wrong := range []string{"clickhouse://writer@host?password_file=" + file + "x", "clickhouse://host?password_file=" + file} {
		if err := a.UnmarshalText([]byte(wrong)); err == nil || !strings.Contains(err.Error(), "password_file") {
			t.Errorf("%s: %v, want password_file named", wrong, err)
		}
	}
}
