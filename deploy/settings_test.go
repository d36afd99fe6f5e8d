package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// programs is the folder of the three binaries.
type programs string

// TestPrograms is what takes the binaries: they are built once for all of it.
func TestPrograms(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", dir+"/", "../cmd/...").CombinedOutput(); err != nil {
		t.Fatalf("go build ../cmd/...: %v\n%s", err, out)
	}
	t.Run("settings files", programs(dir).readSettings)
	t.Run("systemd units", programs(dir).areStartedByUnits)
	t.Run("a centre by hand", programs(dir).runACentre)
}

// command is a program with arguments, in an environment without settings of Rolltrace.
func (p programs) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(string(p), name), args...)
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "ROLLTRACE_") {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	return cmd
}

// placed copies a shipped settings file with its folders replaced by one of the test's, which has every secret
// under the name that the file uses. Further replacements are old, new, old, new, …
func (p programs) placed(t *testing.T, file, secrets string, replacements ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, source := range map[string]string{
		"ca.pem": "ca.pem", "consumer.seed": "consumer.seed", "identity.seed": "sidecars/party-a.field-db-1/identity.seed",
		"writer.password": "clickhouse/writer.password", "rolltrace.password": "clickhouse/rolltrace.password",
	} {
		if err := os.Symlink(filepath.Join(secrets, source), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	key, err := p.command("rolltrace", "key", "new").Output()
	if err != nil {
		t.Fatalf("rolltrace key new: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "key.json"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	text := read(t, file)
	text = regexp.MustCompile(`/run/secrets|/run/credentials/[\w.-]+|/etc/rolltrace|/var/lib/rolltrace`).ReplaceAllString(text, dir)
	for i := 0; i < len(replacements); i += 2 {
		if !strings.Contains(text, replacements[i]) {
			t.Fatalf("%s has no %s any more: the test has to follow", file, replacements[i])
		}
		text = strings.ReplaceAll(text, replacements[i], replacements[i+1])
	}
	path := filepath.Join(dir, filepath.Base(file))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The shipped settings files are read by the programs that they are for.
func (p programs) readSettings(t *testing.T) {
	written := secrets(t)
	for _, file := range []string{"compose/consumer.yaml", "systemd/consumer.yaml", "kubernetes/config/consumer.yaml"} {
		p.check(t, "rolltrace-consumer", p.placed(t, file, written))
	}
	for _, file := range []string{"compose/sidecar.yaml", "systemd/sidecar.yaml", "kubernetes/config/sidecar.yaml"} {
		p.check(t, "rolltrace-sidecar", p.placed(t, file, written), "run")
	}
	// A key that the program does not know is found, so a file that passes has none.
	wrong := p.placed(t, "compose/consumer.yaml", written, "nats_seed:", "nats_sead:")
	if out, err := p.command("rolltrace-consumer", "--config", wrong, "--check").CombinedOutput(); err == nil || !strings.Contains(string(out), "nats_sead") {
		t.Errorf("an unknown key passes: %s", out)
	}
	migrate := p.command("rolltrace", "migrate", "--check")
	setting := regexp.MustCompile(`/run/secrets`).ReplaceAllString(*project(t).Services["migrate"].Environment["ROLLTRACE_CLICKHOUSE"], filepath.Join(written, "clickhouse"))
	migrate.Env = append(migrate.Env, "ROLLTRACE_CLICKHOUSE="+setting)
	if out, err := migrate.CombinedOutput(); err != nil {
		t.Errorf("migrate: %s", out)
	}
}

func (p programs) check(t *testing.T, name, file string, command ...string) {
	t.Helper()
	out, err := p.command(name, append(command, "--config", file, "--check")...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "configuration: good") {
		t.Errorf("%s: %v: %s", file, err, out)
	}
}

// unit reads a systemd unit: the values of each key, by section.
func unit(t *testing.T, file string) map[string]map[string][]string {
	t.Helper()
	sections, section := map[string]map[string][]string{}, ""
	for _, line := range strings.Split(read(t, file), "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
			sections[section] = map[string][]string{}
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || section == "" {
				t.Fatalf("%s: %q", file, line)
			}
			sections[section][key] = append(sections[section][key], value)
		}
	}
	return sections
}

func (p programs) areStartedByUnits(t *testing.T) {
	for _, name := range []string{"rolltrace-sidecar", "rolltrace-consumer"} {
		u := unit(t, "systemd/"+name+".service")
		for key, want := range map[string]string{
			"User": "rolltrace", "Restart": "always", "RestartPreventExitStatus": "2", "NoNewPrivileges": "true", "ProtectSystem": "strict",
			"ProtectHome": "true", "PrivateTmp": "true", "PrivateDevices": "true", "CapabilityBoundingSet": "", "MemoryDenyWriteExecute": "true",
			"RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX", "UMask": "0077",
		} {
			if got := u["Service"][key]; len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s is %q, want %q", name, key, got, want)
			}
		}
		if !slices.Contains(u["Service"]["SystemCallFilter"], "@system-service") || u["Install"]["WantedBy"] == nil {
			t.Errorf("%s: want a filter of system calls, and to be installed", name)
		}
		// What is started is checked before, with the same settings; the program knows its arguments.
		start, before := u["Service"]["ExecStart"][0], u["Service"]["ExecStartPre"][0]
		if before != start+" --check" {
			t.Errorf("%s: ExecStartPre is %q, want ExecStart with --check", name, before)
		}
		words := strings.Fields(start)
		if words[0] != "/usr/bin/"+name {
			t.Errorf("%s: starts %s", name, words[0])
		}
		if out, err := p.command(name, append(words[1:len(words)-2], "--help")...).CombinedOutput(); err != nil {
			t.Errorf("%s: %s", start, out)
		}
		for _, credential := range u["Service"]["LoadCredential"] {
			id, _, _ := strings.Cut(credential, ":")
			if !strings.Contains(read(t, "systemd/consumer.yaml"), "/run/credentials/"+name+".service/"+id) {
				t.Errorf("%s: nobody reads the credential %s", name, id)
			}
		}
	}
}

func TestKubernetesManifests(t *testing.T) {
	var kustomization struct {
		Resources          []string
		ConfigMapGenerator []struct {
			Name  string
			Files []string
		} `yaml:"configMapGenerator"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "kubernetes/kustomization.yaml")), &kustomization); err != nil {
		t.Fatal(err)
	}
	maps := map[string]bool{}
	for _, m := range kustomization.ConfigMapGenerator {
		maps[m.Name] = true
		for _, file := range m.Files {
			_, path, _ := strings.Cut(file, "=")
			read(t, filepath.Join("kubernetes", path))
		}
	}
	images := map[string]bool{}
	for _, s := range project(t).Services {
		images[s.Image] = true
	}
	pods := 0
	for _, file := range kustomization.Resources {
		decoder := yaml.NewDecoder(strings.NewReader(read(t, filepath.Join("kubernetes", file))))
		for {
			var r resource
			if err := decoder.Decode(&r); err != nil {
				break
			}
			if r.Kind == "" || r.Metadata.Name == "" || r.APIVersion == "" {
				t.Errorf("%s: a resource without kind, version or name", file)
			}
			if pod := r.Spec.Template.Spec; len(pod.Containers) > 0 {
				pods++
				for _, fault := range pod.faults(maps, images) {
					t.Errorf("%s: %s %s: %s", file, r.Kind, r.Metadata.Name, fault)
				}
			}
		}
	}
	if pods != 3 {
		t.Errorf("%d pods, want migrate, consumer and sidecar", pods)
	}
}

type resource struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name string }
	Spec       struct{ Template struct{ Spec pod } }
}

type pod struct {
	AutomountServiceAccountToken *bool `yaml:"automountServiceAccountToken"`
	SecurityContext              struct {
		RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
		RunAsUser      int                   `yaml:"runAsUser"`
		SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	Containers []struct {
		Name, Image     string
		SecurityContext struct {
			AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
			ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
			Capabilities             struct{ Drop []string }
		} `yaml:"securityContext"`
		Resources    struct{ Limits map[string]string }
		VolumeMounts []struct{ Name string } `yaml:"volumeMounts"`
	}
	Volumes []struct {
		Name      string
		ConfigMap struct{ Name string } `yaml:"configMap"`
	}
}

func (p pod) faults(maps, images map[string]bool) (found []string) {
	require := func(ok bool, fault string) {
		if !ok {
			found = append(found, fault)
		}
	}
	require(p.SecurityContext.RunAsNonRoot && p.SecurityContext.RunAsUser == 65532 && p.SecurityContext.SeccompProfile.Type == "RuntimeDefault", "may run as root, or without seccomp")
	require(p.AutomountServiceAccountToken != nil && !*p.AutomountServiceAccountToken, "gets a token of the cluster")
	volumes := map[string]bool{"outbox": true} // a claim
	for _, v := range p.Volumes {
		volumes[v.Name] = true
		require(v.ConfigMap.Name == "" || maps[v.ConfigMap.Name], "no config map "+v.ConfigMap.Name)
	}
	for _, c := range p.Containers {
		require(images[c.Image], "image "+c.Image+" is none of compose.yaml's")
		s := c.SecurityContext
		require(s.AllowPrivilegeEscalation != nil && !*s.AllowPrivilegeEscalation && s.ReadOnlyRootFilesystem && slices.Equal(s.Capabilities.Drop, []string{"ALL"}), "has rights that it does not need")
		require(c.Resources.Limits["memory"] != "", "has no limit of memory")
		for _, m := range c.VolumeMounts {
			require(volumes[m.Name], "mounts "+m.Name+", which is not there")
		}
	}
	return found
}
