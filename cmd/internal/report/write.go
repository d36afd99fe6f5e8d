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

// Paths are where a report goes, as path says: a file whose name ends with .html, beside which the JSON goes; or a folder
// that is there, in which the files are named after the report.
func Paths(path, name string) (page, document string, err error) {
	if strings.EqualFold(filepath.Ext(path), ".html") {
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
	var made []string
	for path, content := range map[string][]byte{page: html.Bytes(), document: text.Bytes()} {
		if err := writeFile(path, content, replace); err != nil {
			for _, path := range made {
				_ = os.Remove(path)
			}
			return fmt.Errorf("write %q: %w", path, err)
		}
		made = append(made, path)
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

// writeFile writes a file in one step: it is there whole, on disk, or not at all.
func writeFile(path string, content []byte, replace bool) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".rolltrace-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // gone by then, unless something failed
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if replace {
		return os.Rename(file.Name(), path)
	}
	err = os.Link(file.Name(), path) // a rename would write over a file that came meanwhile
	switch {
	case errors.Is(err, fs.ErrExist):
		return ErrExists
	case err != nil: // no links on this file system
		return os.Rename(file.Name(), path)
	}
	return nil
}
