package embedded

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The users of an embedded ClickHouse. Their passwords are made at the first start, and stay.
const (
	Owner     = "rolltrace" // everything; owns tables and views, and is the views' definer
	Writer    = "writer"    // selects from and inserts into the database's tables, and removes derived sets
	Analyst   = "analyst"   // selects from the views named in ClickHouseConfig.Views, nothing else
	Dashboard = "dashboard" // likewise
)

var userNames = []string{Owner, Writer, Analyst, Dashboard}

// passwordFile, in the data folder and mode 0600, holds each user's password.
const passwordFile = "users.json"

// passwords reads the data folder's passwords, and makes the ones that are missing.
func passwords(dir string) (map[string]string, error) {
	path := filepath.Join(dir, passwordFile)
	known := map[string]string{}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read passwords: %w", err)
	default:
		if err := json.Unmarshal(text, &known); err != nil {
			return nil, fmt.Errorf("read passwords: %s: not the JSON that was written there (move it away to have new ones made)", path)
		}
	}
	complete := true
	for _, name := range userNames {
		if known[name] == "" {
			known[name] = rand.Text()
			complete = false
		}
	}
	if complete {
		return known, nil
	}
	text, err = json.MarshalIndent(known, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := writeWhole(path, append(text, '\n')); err != nil {
		return nil, fmt.Errorf("keep passwords: %w", err)
	}
	return known, nil
}

// writeWhole replaces a file by a rename, mode 0600, so that a crash leaves the old or the new one.
func writeWhole(path string, text []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// A user as users.xml has it.
type user struct {
	Name    string
	Hash    string
	Profile string
	Grants  []string // none: everything
}

func users(cfg ClickHouseConfig, passwords map[string]string) []user {
	list := make([]user, 0, len(userNames))
	for _, name := range userNames {
		hash := sha256.Sum256([]byte(passwords[name]))
		u := user{Name: name, Hash: hex.EncodeToString(hash[:]), Profile: "default"}
		switch name {
		case Writer:
			u.Grants = []string{fmt.Sprintf("GRANT SELECT, INSERT ON %s.*", quote(cfg.Database))}
			for _, table := range []string{"derived", "derived_by_bucket"} { // old generations go
				u.Grants = append(u.Grants, fmt.Sprintf("GRANT ALTER DELETE ON %s.%s", quote(cfg.Database), quote(table)))
			}
		case Analyst, Dashboard:
			u.Profile = "reader"
			// Nothing at all is not a grant: without one, the user would have everything.
			u.Grants = []string{"GRANT SELECT ON system.one"}
			for _, view := range cfg.Views {
				u.Grants = append(u.Grants, fmt.Sprintf("GRANT SELECT ON %s.%s", quote(cfg.Database), quote(view)))
			}
		}
		list = append(list, u)
	}
	return list
}

// quote writes an identifier of ClickHouse; what it is given has been checked by namePattern.
func quote(name string) string { return "`" + name + "`" }
