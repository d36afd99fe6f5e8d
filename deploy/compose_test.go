package deploy_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// project is compose.yaml as docker compose reads it.
func project(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../compose.yaml"}, cli.WithoutEnvironmentResolution, cli.WithDiscardEnvFile)
	if err != nil {
		t.Fatal(err)
	}
	p, err := options.LoadProject(context.Background())
	if err != nil {
		t.Fatalf("compose.yaml: %v", err)
	}
	return p
}

// pinned is an image with a version of at least two numbers, or a digest.
var pinned = regexp.MustCompile(`^[a-z0-9./-]+(:v?\d+\.\d+[\w.-]*|@sha256:[0-9a-f]{64})$`)

func TestComposeServices(t *testing.T) {
	p := project(t)
	if got, want := slices.Sorted(slices.Values(p.ServiceNames())), []string{"clickhouse", "consumer", "grafana", "migrate", "nats", "sidecar"}; !slices.Equal(got, want) {
		t.Fatalf("services are %v, want %v", got, want)
	}
	for name, s := range p.Services {
		if !pinned.MatchString(s.Image) {
			t.Errorf("%s: image %q is not pinned to a version", name, s.Image)
		}
		if s.User == "" || strings.HasPrefix(s.User, "0") || strings.HasPrefix(s.User, "root") {
			if s.Build == nil { // the images that are built here have their user in the Dockerfile, see below
				t.Errorf("%s: runs as user %q", name, s.User)
			}
		}
		if s.Privileged || !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0 || !s.ReadOnly || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: want a read-only file system, no capabilities, no new privileges", name)
		}
		if s.NetworkMode != "" || s.Pid != "" || s.Ipc != "" {
			t.Errorf("%s: shares a namespace of the host", name)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" && port.HostIP != "::1" {
				t.Errorf("%s: port %s is published on %q, want loopback", name, port.Published, port.HostIP)
			}
		}
		if name == "migrate" {
			if s.HealthCheck != nil || !strings.HasPrefix(s.Restart, "on-failure") {
				t.Errorf("migrate: runs once: want no health check, and restart on failure")
			}
			continue
		}
		if s.HealthCheck == nil || s.HealthCheck.Disable || len(s.HealthCheck.Test) < 2 || s.HealthCheck.Interval == nil || s.HealthCheck.Timeout == nil {
			t.Errorf("%s: want a health check with interval and time-out", name)
		}
		if s.Restart != "unless-stopped" {
			t.Errorf("%s: restart is %q", name, s.Restart)
		}
	}
}

func TestComposeOrder(t *testing.T) {
	p := project(t)
	for _, want := range []struct{ service, on, condition string }{
		{"migrate", "clickhouse", types.ServiceConditionHealthy},
		{"consumer", "migrate", types.ServiceConditionCompletedSuccessfully},
		{"consumer", "nats", types.ServiceConditionHealthy},
		{"grafana", "migrate", types.ServiceConditionCompletedSuccessfully},
		{"sidecar", "nats", types.ServiceConditionStarted}, // it works without its hub
	} {
		if got := p.Services[want.service].DependsOn[want.on].Condition; got != want.condition {
			t.Errorf("%s waits for %s until %q, want %q", want.service, want.on, got, want.condition)
		}
	}
}

// Every file that is mounted exists; secrets, those that bootstrap writes and the one of `rolltrace key new`.
func TestComposeFiles(t *testing.T) {
	p := project(t)
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	written := secrets(t)
	exists := func(who, path string) {
		path, err := filepath.Rel(root, path)
		if err != nil || strings.HasPrefix(path, "..") {
			t.Errorf("%s: %s is outside of the repository", who, path)
			return
		}
		at := filepath.Join(root, path)
		if inside, ok := strings.CutPrefix(path, "deploy/secrets/"); ok {
			if filepath.Base(inside) == "key.json" {
				return
			}
			at = filepath.Join(written, inside)
		}
		if _, err := os.Stat(at); err != nil {
			t.Errorf("%s: %s: %v", who, path, err)
		}
	}
	for name, s := range p.Services {
		for _, v := range s.Volumes {
			switch v.Type {
			case types.VolumeTypeBind:
				exists(name, v.Source)
				if !v.ReadOnly {
					t.Errorf("%s: %s is mounted to be written", name, v.Source)
				}
			case types.VolumeTypeVolume:
				if _, ok := p.Volumes[v.Source]; !ok {
					t.Errorf("%s: no volume %s", name, v.Source)
				}
			}
		}
		for _, secret := range s.Secrets {
			if _, ok := p.Secrets[secret.Source]; !ok {
				t.Errorf("%s: no secret %s", name, secret.Source)
			}
		}
		if s.Build != nil {
			exists(name, filepath.Join(s.Build.Context, s.Build.Dockerfile))
			if stage(t, s.Build.Target) == nil {
				t.Errorf("%s: the Dockerfile has no target %s", name, s.Build.Target)
			}
		}
	}
	for name, secret := range p.Secrets {
		if secret.File == "" {
			t.Errorf("secret %s is not a file", name)
			continue
		}
		exists("secret "+name, secret.File)
	}
	for _, volume := range []string{"hub", "clickhouse", "outbox", "grafana"} {
		if _, ok := p.Volumes[volume]; !ok {
			t.Errorf("no volume %s", volume)
		}
	}
}

// Nothing in compose.yaml is a secret, and nobody gets one that is not theirs.
func TestComposeSecrets(t *testing.T) {
	p := project(t)
	for name, want := range map[string][]string{
		"nats": nil, "clickhouse": {"clickhouse-passwords"}, "migrate": {"rolltrace.password"},
		"consumer": {"ca.pem", "consumer.seed", "writer.password"}, "sidecar": {"ca.pem", "identity.seed", "key.json"},
		"grafana": {"dashboard.password", "grafana.password"},
	} {
		var got []string
		for _, s := range p.Services[name].Secrets {
			got = append(got, s.Source)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s gets %v, want %v", name, got, want)
		}
		for key, value := range p.Services[name].Environment {
			if value != nil && regexp.MustCompile(`(?i)(password|secret|seed|token)`).MatchString(key) && !strings.HasSuffix(key, "__FILE") {
				t.Errorf("%s: %s has a value", name, key)
			}
		}
	}
	if networks := slices.Collect(maps.Keys(p.Services["sidecar"].Networks)); !slices.Equal(networks, []string{"edge"}) {
		t.Errorf("the sidecar is in %v: it reaches more than the hub", networks)
	}
	ignored, err := os.ReadFile("../.gitignore")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(strings.Fields(string(ignored)), "/deploy/secrets/") {
		t.Error("git would take the secrets")
	}
}

// A Dockerfile's stage: what it is made from, and its instructions.
type dockerStage struct {
	from  string
	lines []string
}

// stage reads one stage of the Dockerfile, with those that it is made from before it; nil when it is not there.
func stage(t *testing.T, name string) *dockerStage {
	t.Helper()
	stages := map[string]*dockerStage{}
	var current *dockerStage
	text := strings.ReplaceAll(read(t, "image/Dockerfile"), "\\\n", " ")
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if words[0] == "FROM" {
			current = &dockerStage{from: words[1]}
			if base := stages[words[1]]; base != nil {
				current.from, current.lines = base.from, slices.Clone(base.lines)
			}
			stages[words[len(words)-1]] = current
			continue
		}
		current.lines = append(current.lines, strings.Join(words, " "))
	}
	return stages[name]
}

func TestImages(t *testing.T) {
	for _, name := range []string{"rolltrace-sidecar", "rolltrace-consumer", "rolltrace", "hub"} {
		s := stage(t, name)
		if s == nil {
			t.Errorf("no target %s", name)
			continue
		}
		if !pinned.MatchString(s.from) {
			t.Errorf("%s: from %s, which is not pinned to a version", name, s.from)
		}
		find := func(instruction string) string {
			for _, line := range slices.Backward(s.lines) {
				if rest, ok := strings.CutPrefix(line, instruction+" "); ok {
					return rest
				}
			}
			return ""
		}
		if find("USER") != "65532:65532" {
			t.Errorf("%s: runs as %q", name, find("USER"))
		}
		check := find("HEALTHCHECK")
		if check == "" || (name == "rolltrace") != (check == "NONE") {
			t.Errorf("%s: HEALTHCHECK %q", name, check)
		}
		if name != "hub" && find("ENTRYPOINT") != `["`+name+`"]` {
			t.Errorf("%s: ENTRYPOINT %s", name, find("ENTRYPOINT"))
		}
	}
	if build := stage(t, "build"); !pinned.MatchString(build.from) || !slices.ContainsFunc(build.lines, func(l string) bool { return strings.Contains(l, "CGO_ENABLED=0") }) {
		t.Errorf("the binaries are built by %+v: want a pinned image, and no cgo", build)
	}
	// Go and NATS are those that the tests run.
	module := read(t, "../go.mod")
	if version := regexp.MustCompile(`nats-server/v2 v(\S+)`).FindStringSubmatch(module)[1]; !strings.HasPrefix(stage(t, "hub").from, "nats:"+version+"-") || project(t).Services["nats"].Image != "rolltrace/hub:"+version {
		t.Errorf("the hub's image is made from %s, want NATS %s as in go.mod", stage(t, "hub").from, version)
	}
	if version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(module)[1]; !strings.HasPrefix(stage(t, "build").from, "golang:"+version+".") {
		t.Errorf("the binaries are built by %s, want Go %s as in go.mod", stage(t, "build").from, version)
	}
	ignored := strings.Fields(read(t, "image/Dockerfile.dockerignore"))
	if !slices.Contains(ignored, "deploy/secrets") {
		t.Error("the build sees the secrets")
	}
}
