package pseudonym

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Who shares a secret with everybody on the machine is told, unless the folder keeps them out.
func TestExposed(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "key.json")
	for _, c := range []struct {
		folder, file os.FileMode
		exposed      bool
	}{{0o755, 0o644, true}, {0o755, 0o602, true}, {0o755, 0o640, false}, {0o755, 0o600, false}, {0o700, 0o644, false}} {
		_ = os.Remove(path)
		if err := errors.Join(os.WriteFile(path, testSecret(5).KeyFile(), 0o600), os.Chmod(path, c.file), os.Chmod(folder, c.folder)); err != nil {
			t.Fatal(err)
		}
		if said := Exposed(path); (said != "") != c.exposed || said != "" && !strings.Contains(said, path) {
			t.Errorf("%o in %o: %q", c.file, c.folder, said)
		}
	}
}

func TestKeyFileKeepsTheSecret(t *testing.T) {
	secret := NewSecret()
	path := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(path, secret.KeyFile(), 0o600); err != nil {
		t.Fatal(err)
	}
	back, err := ReadKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if back.bytes != secret.bytes || back.KeyID() != secret.KeyID() || !back.created.Equal(secret.created) {
		t.Error("the key file does not give back the secret")
	}
	if !secret.KeyID().Valid() {
		t.Errorf("key id %q is not well formed", secret.KeyID())
	}
	if NewSecret().KeyID() == secret.KeyID() {
		t.Error("two new secrets are the same")
	}
}

func TestKeyFileFaults(t *testing.T) {
	good := string(testSecret(5).KeyFile())
	secret64 := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{5}, 32))
	for name, test := range map[string]struct{ content, want string }{
		"empty":         {"", "not the JSON of a key file"},
		"cut":           {good[:len(good)/2], "not the JSON of a key file"},
		"two":           {good + good, "not the JSON of a key file"},
		"later version": {strings.Replace(good, "rolltrace-key-1", "rolltrace-key-2", 1), "format is not"},
		"edited":        {strings.Replace(good, `"k-`, `"k-0`, 1), "key_id does not belong"},
		"short":         {strings.Replace(good, secret64, secret64[:20], 1), "secret: want the base64 of 32 bytes"},
		"not base64":    {strings.Replace(good, secret64, "*"+secret64[1:], 1), "secret: want the base64 of 32 bytes"},
		"zeros":         {strings.Replace(good, secret64, base64.StdEncoding.EncodeToString(make([]byte, 32)), 1), "secret: want random bytes"},
		"huge":          {strings.Repeat(" ", maxKeyFile) + good, "this is no key file"},
	} {
		path := filepath.Join(t.TempDir(), "key.json")
		if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadKeyFile(path)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: have error %v, want the path and %q", name, err, test.want)
			continue
		}
		if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), secret64[:8]) {
			t.Errorf("%s: the error is not one line, or shows the secret: %v", name, err)
		}
	}
	missing := filepath.Join(t.TempDir(), "none.json")
	if _, err := ReadKeyFile(missing); err == nil || !strings.Contains(err.Error(), "rolltrace key new > "+missing) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := ReadKeyFile(t.TempDir()); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("a folder: %v", err)
	}
}

// No verb, and no printing of a struct that holds it, shows a secret.
func TestASecretNeverPrints(t *testing.T) {
	secret := testSecret(0xab)
	holder := struct {
		Secret  Secret
		Pointer *Secret
	}{secret, &secret}
	shown := regexp.MustCompile(`(?i)abab|171[ ,]+171|\xab`)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%t"} {
		for _, value := range []any{secret, &secret, holder, []Secret{secret}} {
			if said := fmt.Sprintf(verb, value); shown.MatchString(said) {
				t.Errorf("%s of %T shows the secret", verb, value)
			}
		}
	}
	if said := fmt.Sprint(secret); said != "secret("+string(secret.KeyID())+")" {
		t.Errorf("a secret prints as %q", said)
	}
	if said := fmt.Sprint(Secret{}); said != "secret(none)" {
		t.Errorf("no secret prints as %q", said)
	}
}
