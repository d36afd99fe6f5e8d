package explorer_test

import "io/fs"

// without is a file system without one of the entries at its root.
type without struct {
	fs.FS
	name string
}

// ReadDir leaves the entry out.
func (w without) ReadDir(dir string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(w.FS, dir)
	if dir != "." {
		return all, err
	}
	var rest []fs.DirEntry
	for _, entry := range all {
		if entry.Name() != w.name {
			rest = append(rest, entry)
		}
	}
	return rest, err
}
