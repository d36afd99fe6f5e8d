package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/nats-io/nkeys"

	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// What nobody of the centre may ask of JetStream: to take something out of the log, or the log away. Whoever
// has to do that does it on the hub's machine. The operator may take out of the rejected stream what was replayed.
var (
	neverAsked   = []string{"$JS.API.STREAM.DELETE.>", "$JS.API.STREAM.PURGE.>", "$JS.API.STREAM.RESTORE.>"}
	neverDeleted = []string{"$JS.API.STREAM.MSG.DELETE." + stream.Name, "$JS.API.STREAM.MSG.DELETE." + stream.AlertName}
)

// writeHubUsers makes the nkeys that are missing, and derives users.conf from the public keys.
func (s Secrets) writeHubUsers() error {
	consumer, err := s.nkey("consumer.seed")
	if err != nil {
		return err
	}
	operator, err := s.nkey("operator.seed")
	if err != nil {
		return err
	}
	exercise, err := s.nkey("exercise.seed")
	if err != nil {
		return err
	}
	for _, sc := range s.Sidecars {
		if err := s.admit(sc); err != nil {
			return fmt.Errorf("sidecar %s/%s: %w", sc.Org, sc.Name, err)
		}
	}
	admitted, err := s.admitted()
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("# Written by deploy/bootstrap from the public keys in sidecars/: change those, not this file.\nusers: [\n")
	writeUser(&b, "the consumer: reads the log, publishes what it rejects", consumer,
		[]string{"$JS.API.>", "$JS.FC.>", "$JS.ACK.>", wire.Prefix + string(wire.TypeRejected) + ".>", wire.Prefix + string(wire.TypeAlert) + ".>"},
		append([]string{"$JS.API.STREAM.MSG.DELETE.>"}, neverAsked...), []string{"_INBOX.>"})
	writeUser(&b, "the operator: the command line, which lists and replays what was rejected", operator,
		[]string{"$JS.API.>", "$JS.FC.>", "$JS.ACK.>", "rolltrace.>"}, // of any version: a parked message goes back as it came
		append(neverDeleted, neverAsked...), []string{"_INBOX.>"})
	drill := stream.ExercisePermissions()
	writeUser(&b, "players of exercises: publish there, and nowhere else", exercise, drill.Publish, nil, drill.Subscribe)
	for _, sc := range admitted {
		p, err := stream.SidecarPermissions(sc.Org, sc.Name)
		if err != nil {
			return err
		}
		writeUser(&b, sc.Org+"/"+sc.Name, sc.PublicKey, p.Publish, nil, p.Subscribe)
	}
	b.WriteString("]\n")
	return s.derive(filepath.Join("hub", "users.conf"), b.String())
}

func writeUser(b *strings.Builder, who, publicKey string, publish, never, subscribe []string) {
	fmt.Fprintf(b, "  # %s\n  {\n    nkey: %s\n    permissions: {\n      publish: {\n        allow: [%s]\n", who, publicKey, quoted(publish))
	if len(never) > 0 {
		fmt.Fprintf(b, "        deny: [%s]\n", quoted(never))
	}
	fmt.Fprintf(b, "      }\n      subscribe: {\n        allow: [%s]\n      }\n    }\n  }\n", quoted(subscribe))
}

func quoted(ss []string) string { return `"` + strings.Join(ss, `", "`) + `"` }

// nkey returns the public key of a seed file, which it makes first when there is none.
func (s Secrets) nkey(name string) (string, error) {
	seed, err := s.secret(name, newSeed)
	if err != nil {
		return "", err
	}
	pair, err := nkeys.FromSeed([]byte(seed))
	if err != nil {
		return "", fmt.Errorf("%s: not the seed of an nkey (it begins with SU)", filepath.Join(s.Dir, name))
	}
	return pair.PublicKey()
}

// admit notes the public key of a sidecar; without one it makes the seed here.
func (s Secrets) admit(sc Sidecar) error {
	note := filepath.Join(s.Dir, "hub", "sidecars", sc.Org+"."+sc.Name+".pub")
	known, err := os.ReadFile(note)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if public := strings.TrimSpace(string(known)); public != "" {
		if sc.PublicKey != "" && sc.PublicKey != public {
			return fmt.Errorf("another public key was let in before: remove %s to replace it", note)
		}
		return nil
	}
	if sc.PublicKey == "" {
		dir := filepath.Join("sidecars", sc.Org+"."+sc.Name)
		if err := os.MkdirAll(filepath.Join(s.Dir, dir), 0o755); err != nil {
			return err
		}
		if sc.PublicKey, err = s.nkey(filepath.Join(dir, "identity.seed")); err != nil {
			return err
		}
	}
	return writeNew(note, sc.PublicKey+"\n")
}

// admitted lists the sidecars with a public key in hub/sidecars, in the order of their names.
func (s Secrets) admitted() ([]Sidecar, error) {
	notes, err := filepath.Glob(filepath.Join(s.Dir, "hub", "sidecars", "*.pub"))
	if err != nil {
		return nil, err
	}
	sort.Strings(notes)
	var sidecars []Sidecar
	for _, note := range notes {
		public, err := os.ReadFile(note)
		if err != nil {
			return nil, err
		}
		org, name, _ := strings.Cut(strings.TrimSuffix(filepath.Base(note), ".pub"), ".")
		sc, err := ParseSidecar(org + "/" + name + "=" + strings.TrimSpace(string(public)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", note, err)
		}
		sidecars = append(sidecars, sc)
	}
	return sidecars, nil
}
