package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Paths are where a report goes, as path says: a file whose name ends with .html, in a folder that is there, beside which
// the JSON goes; or a folder that is there, in which the files are named after the report.
func Paths(path, name string) (page, document string, err error) {
	if strings.EqualFold(filepath.Ext(path), ".html") {
		if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
			return "", "", fmt.Errorf("report to %q: there is no folder %q", path, filepath.Dir(path))
		}
		return path, strings.TrimSuffix(path, filepath.Ext(path)) + ".json", nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return "", "", fmt.Errorf("report to %q: want a file that ends with .html, or a folder that is there", path)
	}
	return filepath.Join(path, name+".html"), filepath.Join(path, name+".json"), nil
}

// ErrExists says that a file is there already.
var ErrExists = errors.New("it is there already: give another name, or --force to write over it")

// Write writes the page and the document: both whole, or neither. With replace false, files that are there stay, and the
// error is ErrExists.
func (r *Report) Write(page, document string, replace bool) error {
	var html, text bytes.Buffer
	if err := r.WriteHTML(&html); err != nil {
		return fmt.Errorf("make the page: %w", err)
	}
	if err := r.WriteJSON(&text); err != nil {
		return fmt.Errorf("make the document: %w", err)
	}
	if !replace {
		for _, path := range []string{page, document} {
			if _, err := os.Lstat(path); err == nil {
				return fmt.Errorf("write %q: %w", path, ErrExists)
			}
		}
	}
	files := []file{{path: page, content: html.Bytes()}, {path: document, content: text.Bytes()}}
	for i := range files {
		defer files[i].drop()
		if err := files[i].stage(); err != nil {
			return fmt.Errorf("write %q: %w", files[i].path, err)
		}
	}
	for i := range files {
		err := files[i].publish(replace)
		if err == nil {
			continue
		}
		if i > 0 && !replace {
			_ = os.Remove(files[0].path)
		}
		return fmt.Errorf("write %q: %w", files[i].path, err)
	}
	return nil
}

// WriteJSON writes the document, indented.
func (r *Report) WriteJSON(w interface{ Write([]byte) (int, error) }) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r.JSON)
}

// A file is there whole, and on disk, or not at all.
type file struct {
	path    string
	content []byte
	staged  string // beside path, until it is published
}

func (f *file) stage() error {
	staged, err := os.CreateTemp(filepath.Dir(f.path), ".rolltrace-*") // 0600
	if err != nil {
		return err
	}
	f.staged = staged.Name()
	_, err = staged.Write(f.content)
	if err == nil {
		err = staged.Sync()
	}
	if closed := staged.Close(); err == nil {
		err = closed
	}
	return err
}

func (f *file) publish(replace bool) error {
	if replace {
		return os.Rename(f.staged, f.path)
	}
	err := os.Link(f.staged, f.path) // a rename would write over a file that came meanwhile
	switch {
	case errors.Is(err, fs.ErrExist):
		return ErrExists
	case err != nil: // no links on this file system
		return os.Rename(f.staged, f.path)
	}
	return nil
}

// drop removes what was staged: it is gone by then if it was moved.
func (f *file) drop() {
	if f.staged != "" {
		_ = os.Remove(f.staged)
	}
}
