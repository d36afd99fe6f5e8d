package centre

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rolltrace/rolltrace/deploy/embedded"
	"github.com/rolltrace/rolltrace/schema"
)

// InfoFile is the file, in the data folder, that says where a centre is.
const InfoFile = "centre.json"

// infoFormat is the only format so far.
const infoFormat = "rolltrace-centre-1"

// Info says where a centre is. It holds passwords.
type Info struct {
	Format    string      `json:"format"`
	PID       int         `json:"pid"` // of the process that runs it; 0 when it was stopped
	StartedAt schema.Time `json:"started_at"`

	NATS       string            `json:"nats"`       // URL of the hub
	ClickHouse map[string]string `json:"clickhouse"` // user → DSN
	Listen     Listen            `json:"listen"`
}

// Listen is where the parts listen ("127.0.0.1:4222"), so that they can come back to the same addresses.
// "" is a part that is not run here.
type Listen struct {
	NATS           string `json:"nats"`
	ClickHouse     string `json:"clickhouse"`
	ClickHouseHTTP string `json:"clickhouse_http"`
	HTTP           string `json:"http"`     // metrics and health
	Explorer       string `json:"explorer"` // the page
}

// ErrNone: there is no centre in the data folder, or none runs.
var ErrNone = errors.New("no centre runs here")

// DefaultData is the folder of a centre unless another is given: rolltrace in the folder that the XDG
// conventions give to a user's data.
func DefaultData() string {
	base := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "rolltrace-data"
		}
		base = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(base, "rolltrace")
}

// ReadInfo reads where the centre of a data folder is, or was.
func ReadInfo(data string) (Info, error) {
	path := filepath.Join(data, InfoFile)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Info{}, fmt.Errorf("%w: there is no %s: start one with \"rolltrace up\", or say where it is (--data, --clickhouse)", ErrNone, path)
	}
	if err != nil {
		return Info{}, fmt.Errorf("read where the centre is: %w", err)
	}
	var info Info
	if err := json.Unmarshal(content, &info); err != nil || info.Format != infoFormat {
		return Info{}, fmt.Errorf("read where the centre is: %s is not what this version of rolltrace writes: remove it, and start the centre again", path)
	}
	return info, nil
}

// ReadRunning is ReadInfo for whoever wants to connect: the centre has not been stopped. It may have been
// killed, which connecting tells.
func ReadRunning(data string) (Info, error) {
	info, err := ReadInfo(data)
	if err == nil && info.PID == 0 {
		err = fmt.Errorf("the centre of %s does not run: start it with \"rolltrace up --data %s\"", data, data)
	}
	return info, err
}

// write replaces the data folder's centre.json, whole or not at all.
func (i Info) write(data string) error {
	i.Format = infoFormat
	content, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(data, "."+InfoFile+"-") // mode 0600
	if err != nil {
		return fmt.Errorf("write where the centre is: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(append(content, '\n'))
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(data, InfoFile))
	}
	if err != nil {
		return fmt.Errorf("write where the centre is: %w", err)
	}
	return nil
}

// Reader is the DSN that questions are asked with.
func (i Info) Reader() string {
	if dsn := i.ClickHouse[embedded.Analyst]; dsn != "" {
		return dsn
	}
	return i.ClickHouse[given]
}

// Owner is the DSN of the user who may make tables and databases.
func (i Info) Owner() string {
	if dsn := i.ClickHouse[embedded.Owner]; dsn != "" {
		return dsn
	}
	return i.ClickHouse[given]
}

// given stands in place of a user for a ClickHouse that is not run here.
const given = ""
