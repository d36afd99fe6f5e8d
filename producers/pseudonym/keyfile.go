package pseudonym

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/rolltrace/rolltrace/schema"
)

// keyFileFormat is the only format so far.
const keyFileFormat = "rolltrace-key-1"

// maxKeyFile bounds what is read, in bytes: a key file has about 200.
const maxKeyFile = 16 << 10

type keyFile struct {
	Format    string       `json:"format"`
	Secret    string       `json:"secret"` // standard base64 of 32 bytes
	KeyID     schema.KeyID `json:"key_id"`
	CreatedAt time.Time    `json:"created_at"`
}

// ReadKeyFile reads the secret in a key file, as `rolltrace key new` writes it. Errors are one line, name
// the file, and never hold what is in it.
func ReadKeyFile(path string) (Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return Secret{}, fmt.Errorf("read key file %q: no such file: make one with \"rolltrace key new > %s\"", path, path)
		}
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return Secret{}, fmt.Errorf("read key file %q: %w", path, err)
	}
	defer f.Close()
	s, err := ReadKey(f)
	if err != nil {
		return Secret{}, fmt.Errorf("read key file %q: %w", path, err)
	}
	return s, nil
}

// Exposed says of a key file that everybody on this machine can read it: of the file and of its folder. "" when not so, or when that
// cannot be told.
func Exposed(path string) string {
	file, err := os.Stat(path)
	if err != nil || !file.Mode().IsRegular() || file.Mode().Perm()&0o006 == 0 || runtime.GOOS == "windows" {
		return ""
	}
	if folder, err := os.Stat(filepath.Dir(path)); err != nil || folder.Mode().Perm()&0o001 == 0 {
		return ""
	}
	return fmt.Sprintf("key file %q: everybody on this machine can read it: \"chmod 600 %s\", and if somebody may have, make a new one", path, path)
}

// ReadKey reads the content of a key file.
func ReadKey(r io.Reader) (Secret, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxKeyFile+1))
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err // the caller has the path
		}
		return Secret{}, err
	}
	if len(content) > maxKeyFile {
		return Secret{}, fmt.Errorf("more than %d bytes: this is no key file", maxKeyFile)
	}
	var file keyFile
	decoder := json.NewDecoder(bytes.NewReader(content))
	if decoder.Decode(&file) != nil || decoder.More() {
		return Secret{}, errors.New("not the JSON of a key file (the errors in it are not shown, because it holds a secret)")
	}
	if file.Format != keyFileFormat {
		return Secret{}, fmt.Errorf("format is not %q: made by a later version, or no key file", keyFileFormat)
	}
	decoded, err := base64.StdEncoding.DecodeString(file.Secret)
	if err != nil || len(decoded) != SecretSize {
		return Secret{}, fmt.Errorf("secret: want the base64 of %d bytes", SecretSize)
	}
	s := Secret{created: file.CreatedAt}
	copy(s.bytes[:], decoded)
	if s.IsZero() {
		return Secret{}, errors.New("secret: want random bytes, have zeros")
	}
	if id := s.KeyID(); file.KeyID != id {
		return Secret{}, errors.New("key_id does not belong to the secret: the file was damaged or edited; restore it from its backup")
	}
	return s, nil
}

// KeyFile returns the content of the secret's key file. It is the only way by which the secret leaves.
func (s Secret) KeyFile() []byte {
	content, err := json.MarshalIndent(keyFile{
		Format:    keyFileFormat,
		Secret:    base64.StdEncoding.EncodeToString(s.bytes[:]),
		KeyID:     s.KeyID(),
		CreatedAt: s.created,
	}, "", "  ")
	if err != nil {
		panic("pseudonym: " + err.Error()) // strings and a time always marshal
	}
	return append(content, '\n')
}
