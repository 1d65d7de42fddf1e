// SPDX-License-Identifier: Apache-2.0

package file

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/genltestd/genltestd/internal/sorting"
)

// A rotated file has the name of the active file followed by the UTC time, so that names
// sort by time. A name is never reused.
type rotated struct {
	path   string
	at     time.Time
	packed bool // by gzip, as a whole
	temp   bool // left by an interrupted compression
}

const (
	stampLayout  = "20060102T150405.000000000Z"
	packedSuffix = ".gz"
	tempSuffix   = ".tmp"
)

// parseRotated parses a file's name; base is the name of the active file.
func parseRotated(base, name string) (r rotated, ok bool) {
	rest, ok := strings.CutPrefix(name, base+".")
	if !ok {
		return rotated{}, false
	}
	rest, r.temp = strings.CutSuffix(rest, packedSuffix+tempSuffix)
	if !r.temp {
		rest, r.packed = strings.CutSuffix(rest, packedSuffix)
	}
	at, err := time.Parse(stampLayout, rest)
	if err != nil || at.Format(stampLayout) != rest {
		return rotated{}, false
	}
	r.at = at
	return r, true
}

// listRotated returns the rotated files of path, the oldest first.
func listRotated(path string) ([]rotated, error) {
	list, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var all []rotated
	for _, entry := range list {
		if r, ok := parseRotated(filepath.Base(path), entry.Name()); ok {
			r.path = filepath.Join(filepath.Dir(path), entry.Name())
			all = append(all, r)
		}
	}
	sorting.Stable(all, func(a, b rotated) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.path, b.path))
	})
	return all, nil
}

// rotateIfDue begins a new file if n more bytes would exceed the limit, or if the file is
// too old. A file that cannot be rotated remains in use.
func (s *Sink) rotateIfDue(n int64) error {
	r := &s.config.Rotate
	full := r.MaxBytes > 0 && s.target.size+n > int64(r.MaxBytes)
	old := r.MaxAge > 0 && s.age(s.target.began) >= time.Duration(r.MaxAge)
	if !full && !old || s.target.size == 0 || s.target.torn > 0 {
		return nil
	}
	err := s.rotate()
	if s.target.file == nil {
		return err
	}
	const message = "cannot rotate; the file grows on"
	if err != nil {
		s.limits.Error(message, "path", s.config.Path, "error", err)
	} else {
		s.limits.Resolved(message, "the file is rotated again", "path", s.config.Path)
	}
	return nil
}

// rotate leaves the sink without a file if a new file cannot be opened.
func (s *Sink) rotate() error {
	name, err := rotatedName(s.config.Path, s.now())
	if err != nil {
		return err
	}
	// The position must no longer refer to events by their offset in the file: the file
	// may be compressed before the next batch is noted.
	if err := s.position.noteKnown(&s.target, &s.known); err != nil {
		return err
	}
	if err := os.Rename(s.config.Path, name); err != nil {
		return err
	}
	if err := s.target.leave(); err != nil {
		return err
	}
	if err := s.open(); err != nil {
		return err
	}
	s.packer.wake()
	return nil
}

// rotatedName returns a new name that is later than all existing ones, even if the clock
// was set back.
func rotatedName(path string, now time.Time) (string, error) {
	// The target of a link has another name, which a rename would not change.
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", &fs.PathError{Op: "rotate", Path: path, Err: errors.New("is a symbolic link")}
	}
	all, err := listRotated(path)
	if err != nil {
		return "", err
	}
	if len(all) > 0 {
		if next := all[len(all)-1].at.Add(1); next.After(now) {
			now = next
		}
	}
	return path + "." + now.UTC().Format(stampLayout), nil
}
