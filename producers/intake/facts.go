package intake

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rolltrace/rolltrace/schema"
)

// ErrAbsent: no sidecar listens for this outbox.
var ErrAbsent = errors.New("no sidecar listens for this outbox")

const (
	protocol  = 1
	factsFile = "intake.json"
)

// facts are what a client needs to know, in the folder of the outbox, for its owner alone.
type facts struct {
	Protocol  int         `json:"protocol"`
	URL       string      `json:"url"`
	Token     string      `json:"token"`
	PID       int         `json:"pid"`
	Org       string      `json:"org"`
	Sidecar   string      `json:"sidecar"`
	StartedAt schema.Time `json:"started_at"`
}

func newToken() (string, error) {
	b := make([]byte, 24)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

func readFacts(dir string) (facts, error) {
	b, err := os.ReadFile(filepath.Join(dir, factsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return facts{}, fmt.Errorf("%w: %s", ErrAbsent, dir)
	}
	if err != nil {
		return facts{}, fmt.Errorf("read %s: %w", factsFile, err)
	}
	var f facts
	if err := json.Unmarshal(b, &f); err != nil {
		return facts{}, fmt.Errorf("read %s: %w", filepath.Join(dir, factsFile), err)
	}
	if f.Protocol != protocol {
		return facts{}, fmt.Errorf("%w: %s speaks protocol %d, this program %d: use programs of one version", ErrAbsent, dir, f.Protocol, protocol)
	}
	return f, nil
}

// write puts the facts there in one step: nobody reads half of them.
func (f facts) write(dir string) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, factsFile+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", factsFile, err)
	}
	_, err = tmp.Write(append(b, '\n'))
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(dir, factsFile))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", factsFile, err), os.Remove(tmp.Name()))
	}
	return nil
}

// remove takes the facts away, unless another holder has written its own meanwhile.
func (f facts) remove(dir string) {
	if now, err := readFacts(dir); err == nil && now.Token == f.Token {
		os.Remove(filepath.Join(dir, factsFile)) //nolint:errcheck // a client that finds it is refused by nobody listening
	}
}
