package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-io/nkeys"
	"github.com/spf13/cobra"

	"github.com/rolltrace/rolltrace/cmd/internal/config"
	"github.com/rolltrace/rolltrace/cmd/internal/hub"
	"github.com/rolltrace/rolltrace/cmd/internal/logging"
	"github.com/rolltrace/rolltrace/producers"
	"github.com/rolltrace/rolltrace/producers/outbox"
	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/stream"
)

// settings are those of a sidecar: one file serves run, tee and emit.
type settings struct {
	// Org and Sidecar are who publishes. They default to the organisation of the movement's place, and to the name
	// of this host.
	Org     string `yaml:"org" doc:"organisation that publishes; none is that of the movement's first place"`
	Sidecar string `yaml:"sidecar" doc:"name of this sidecar within its organisation; none is the name of the host"`
	// Outbox is the folder of the outbox. Defaults to rolltrace/outbox/ORG/SIDECAR in the user's state folder.
	Outbox string `yaml:"outbox" doc:"folder of the outbox; none is rolltrace/outbox/ORG/SIDECAR in the user's state folder"`
	// exercise is what emit rehearses in, in an outbox of its own below the other; "" for real.
	exercise stream.Exercise
	// Key is the file of the secret under which identifiers become elector keys.
	Key string `yaml:"key" doc:"key file, as \"rolltrace key new\" writes it"`
	// Identity is the file of the seed of the nkey that signs every message, and logs in to a hub with TLS. Defaults
	// to NATSSeed, else to one that is made in the outbox.
	Identity string `yaml:"identity" doc:"file with the seed of the nkey that signs every message; none is nats_seed, else one made in the outbox"`
	// Hub is where the record goes. NATS defaults to nats://127.0.0.1:4222.
	Hub hub.Config `yaml:",inline"`

	// HTTP is where run answers for metrics and health. Defaults to 127.0.0.1:0: any free port.
	HTTP string `yaml:"http" doc:"run: where /metrics, /healthz and /readyz are, on loopback; port 0 for any free one"`
	// Intake is where run listens for tee and emit. Defaults to 127.0.0.1:0: any free port.
	Intake string `yaml:"intake" doc:"run: where tee and emit of this machine come in, on loopback; port 0 for any free one"`
	// Heartbeat is how often run says that it is alive. Defaults to 10 s.
	Heartbeat config.Duration `yaml:"heartbeat" doc:"run: how often it says that it is alive"`
	// Places are those that this sidecar covers, besides those of its taps' tables.
	Places []string `yaml:"places" doc:"run: the places that this sidecar covers, besides those of its taps' tables"`
	// Taps are the Postgres taps of run.
	Taps []tapSettings `yaml:"taps" doc:"run: Postgres taps; see docs/postgres-tap.md"`
	// OnFull is what happens to data when the outbox is full. Defaults to block.
	OnFull outbox.OnFull `yaml:"on_full" doc:"when the outbox is full: block (nothing goes on unrecorded) or pass (it goes on, and the gap is recorded)"`
	// MaxBytes is how much the outbox may hold. Defaults to 4 GiB.
	MaxBytes config.Size `yaml:"max_bytes" doc:"how much the outbox may hold"`
	// BlockTimeout is how long a full outbox blocks. Defaults to 30 s.
	BlockTimeout config.Duration `yaml:"block_timeout" doc:"how long a full outbox blocks before the flow ends with an error"`
	// Log is what is logged, and how.
	Log logging.Config `yaml:"log"`
}

// runOnly are the flags of settings that only run uses: tee and emit read them from the file and do not show
// them.
var runOnly = []string{"http", "intake", "heartbeat", "places"}

func newSettings() *settings {
	return &settings{
		Hub:  hub.Config{NATS: config.NewAddress("nats://127.0.0.1:4222")},
		HTTP: "127.0.0.1:0", Intake: "127.0.0.1:0",
		Heartbeat: config.Duration(producers.DefaultHeartbeatInterval),
		OnFull:    outbox.Block, MaxBytes: outbox.DefaultMaxBytes, BlockTimeout: config.Duration(outbox.DefaultBlockTimeout),
		Log: logging.Default(),
	}
}

// bind gives a command the settings as flags.
func (s *settings) bind(cmd *cobra.Command) *config.Loader {
	loader := config.Bind(cmd.Flags(), s)
	if cmd.Name() != "run" {
		s.Log.Level = logging.Error // what matters of a command is in its one line
		for _, name := range runOnly {
			_ = cmd.Flags().MarkHidden(name)
		}
	}
	return loader
}

// Validate says what is wrong with the settings, in one line that names the setting.
func (s *settings) Validate() error {
	switch {
	case s.Org != "" && !schema.ValidOrg(s.Org):
		return fmt.Errorf("org: %q: want 1 to 63 of a-z 0-9 -, beginning with a letter or digit", s.Org)
	case s.Sidecar != "" && !schema.ValidSidecar(s.Sidecar):
		return fmt.Errorf("sidecar: %q: want 1 to 63 of a-z 0-9 -, beginning with a letter or digit", s.Sidecar)
	case s.OnFull != outbox.Block && s.OnFull != outbox.Pass:
		return fmt.Errorf("on_full: %q: want block or pass", s.OnFull)
	case s.MaxBytes < outbox.MinMaxBytes:
		return fmt.Errorf("max_bytes: %s: want %s or more", s.MaxBytes, config.Size(outbox.MinMaxBytes))
	case s.BlockTimeout == 0:
		return errors.New("block_timeout: 0: want more")
	case s.Heartbeat == 0:
		return errors.New("heartbeat: 0: want more")
	}
	for _, place := range s.Places {
		if _, err := schema.ParsePlace(place); err != nil {
			return fmt.Errorf("places: %w", err)
		}
	}
	for i := range s.Taps {
		if err := s.Taps[i].validate(); err != nil {
			return fmt.Errorf("taps[%d].%w", i, err)
		}
	}
	return s.Hub.Validate()
}

// complete fills in what follows from a movement's place, or from this machine.
func (s *settings) complete(org string) error {
	if s.Org == "" {
		s.Org = org
	}
	if s.Org == "" {
		return errors.New("org: want the organisation that publishes (--org)")
	}
	if s.Sidecar == "" {
		s.Sidecar = hostSidecar()
	}
	if s.Outbox == "" {
		s.Outbox = filepath.Join(stateFolder(), "outbox", s.Org, s.Sidecar)
	}
	if s.exercise != "" {
		s.Outbox = filepath.Join(s.Outbox, "exercise", string(s.exercise))
	}
	return nil
}

// identity is the nkey that signs.
func (s *settings) identity() (nkeys.KeyPair, error) {
	switch {
	case s.Identity != "":
		return readIdentity(s.Identity)
	case s.Hub.Seed != "":
		return readIdentity(s.Hub.Seed)
	}
	return makeIdentity(filepath.Join(s.Outbox, "identity.seed"))
}

// login is the nkey that logs in to the hub unless nats_seed names one: the identity, where the hub is one with TLS.
// A hub on loopback that asks for nothing refuses a client that offers an nkey.
func (s *settings) login(identity nkeys.KeyPair) nkeys.KeyPair {
	url := s.Hub.NATS.Reveal()
	if s.Identity == "" || strings.Contains(url, "@") || !strings.HasPrefix(url, "tls://") && !strings.HasPrefix(url, "wss://") && s.Hub.CA == "" {
		return nil
	}
	return identity
}

// hostSidecar is the name of this host, made fit for a sidecar.
func hostSidecar() string {
	host, _ := os.Hostname()
	host, _, _ = strings.Cut(host, ".")
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, host)
	name = strings.Trim(name[:min(len(name), schema.MaxOrg)], "-")
	if !schema.ValidSidecar(name) {
		return "sidecar"
	}
	return name
}

// stateFolder is where the XDG conventions keep a program's state.
func stateFolder() string {
	base := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "rolltrace-state"
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(base, "rolltrace")
}

// covers are the places that the sidecar records at, as they are when it starts: places, and those of the taps' tables.
func (s *settings) covers() []schema.Place {
	var places []schema.Place
	add := func(place string) {
		if !slices.Contains(places, schema.Place(place)) {
			places = append(places, schema.Place(place))
		}
	}
	for _, p := range s.Places {
		add(p)
	}
	for _, t := range s.Taps {
		for _, table := range t.Tables {
			add(table.Place)
		}
	}
	return places
}
