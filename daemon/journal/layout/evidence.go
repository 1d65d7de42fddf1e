// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/state"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// Evidence is the content of the small files of a directory, and of the headers of its
// segments. A file that cannot be read has an error here: it never counts as empty.
type Evidence struct {
	Listing
	ID       segment.Identity // from meta
	IDOK     bool
	IDErr    error
	Before   state.Value // from state
	BeforeOK bool
	StateErr error
	Headers  []Header       // of Segments, in the same order
	Saved    []cursor.Saved // of Cursors, in the same order
}

// A Header is the header of a segment.
type Header struct {
	segment.Header
	OK  bool // it is intact
	Err error
}

// Examine collects the evidence. before is an earlier result, or nil: the headers of its
// segments are not read again, since they do not change. Examine returns an error if the
// directory cannot be listed, if meta or state is not a regular file, or if the error
// wraps ErrNewer.
func Examine(fs vfs.FS, dir string, before *Evidence) (e *Evidence, err error) {
	e = &Evidence{}
	if e.Listing, err = List(fs, dir); err != nil {
		return nil, err
	}
	if err := e.readMeta(fs, dir); err != nil {
		return nil, err
	}
	if err := e.readState(fs, dir); err != nil {
		return nil, err
	}
	if before != nil && slices.Equal(e.Segments, before.Segments) {
		e.Headers = before.Headers
	} else {
		e.Headers = readHeaders(fs, dir, e.Segments)
	}
	for _, f := range e.Cursors {
		e.Saved = append(e.Saved, cursor.ReadSaved(fs, filepath.Join(dir, f.Name)))
	}
	return e, nil
}

func (e *Evidence) readMeta(fs vfs.FS, dir string) (err error) {
	if !e.Meta {
		return nil
	}
	b, err := vfs.ReadFile(fs, filepath.Join(dir, MetaName), metaMaxLen)
	if errors.Is(err, vfs.ErrIrregular) {
		return err
	}
	if e.IDErr = err; err == nil {
		e.ID, e.IDOK, err = ParseMeta(b)
	} else {
		err = nil
	}
	return err
}

func (e *Evidence) readState(fs vfs.FS, dir string) error {
	if !e.State {
		return nil
	}
	value, ok, err := slot.Read(fs, filepath.Join(dir, StateName))
	if errors.Is(err, vfs.ErrIrregular) {
		return err
	}
	e.Before, e.BeforeOK, e.StateErr = state.Parse(value), ok, err
	return nil
}

func readHeaders(fs vfs.FS, dir string, segments []vfs.FileInfo) []Header {
	headers := make([]Header, len(segments))
	for i, f := range segments {
		headers[i] = ReadHeader(fs, filepath.Join(dir, f.Name))
	}
	return headers
}

// ReadHeader reads the header of the segment at path.
func ReadHeader(fs vfs.FS, path string) (h Header) {
	f, err := fs.Open(path, unix.O_RDONLY)
	if err != nil {
		h.Err = err
		return h
	}
	defer f.Close() // nothing was written
	h.Header, h.OK, h.Err = segment.ReadHeader(f)
	if h.Err != nil {
		h.Err = fmt.Errorf("read %s: %w", path, h.Err)
	}
	return h
}

// A witness counts the files that belong to one identity.
type witness struct {
	all, segments int
}

// Decide returns the identity that most files have. fresh means that the directory does
// not contain a journal, and may become one. Decide returns ErrForeign only if all files
// were read.
func (e *Evidence) Decide() (who segment.Identity, fresh bool, err error) {
	who, found := e.majority()
	if found {
		return who, false, nil
	}
	if err := e.unread(); err != nil {
		return who, false, fmt.Errorf("cannot find out whose journal it is: %w", err)
	}
	if name := e.occupant(); name != "" {
		name = strings.Trim(strconv.Quote(name), `"`) // it may contain control characters
		return who, false, fmt.Errorf("%w: it contains %s, and no intact file of a journal; "+
			"give the journal an empty directory of its own", ErrForeign, name)
	}
	return who, true, nil
}

// occupant returns the name of a file because of which the directory is not empty. The lock,
// the state and incomplete files are not such files: a start that fails creates them.
func (e *Evidence) occupant() string {
	files := slices.Concat(e.Segments, e.Cursors)
	switch {
	case e.Foreign != "":
		return e.Foreign
	case len(files) > 0:
		return files[0].Name
	case e.Meta:
		return MetaName
	}
	return ""
}

// majority returns the identity that most files have. found means that at least one file
// has an identity.
func (e *Evidence) majority() (who segment.Identity, found bool) {
	count := map[segment.Identity]*witness{}
	var order []segment.Identity // if two have the same number of files, the first is chosen: that of meta
	add := func(id segment.Identity, segments int) {
		if count[id] == nil {
			count[id] = &witness{}
			order = append(order, id)
		}
		count[id].all++
		count[id].segments += segments
	}
	if e.IDOK {
		add(e.ID, 0)
	}
	if e.BeforeOK {
		add(e.Before.Identity, 0)
	}
	for i := range e.Headers {
		if e.Headers[i].OK {
			add(e.Headers[i].Identity, 1)
		}
	}
	for id, w := range count {
		w.all += e.cursorsOf(id.ID)
	}
	var best witness
	for _, id := range order {
		if w := *count[id]; w.all > best.all || w.all == best.all && w.segments > best.segments {
			who, best = id, w
		}
	}
	return who, best.all > 0
}

// cursorsOf returns the number of cursors of the journal with that id.
func (e *Evidence) cursorsOf(id uint64) (n int) {
	for _, c := range e.Saved {
		if _, ours := cursor.Parse(c.Value, id); c.OK && ours {
			n++
		}
	}
	return n
}

// unread returns the errors of files that could not be read.
func (e *Evidence) unread() error {
	errs := []error{e.IDErr, e.StateErr}
	for i := range e.Headers {
		errs = append(errs, e.Headers[i].Err)
	}
	for i := range e.Saved {
		errs = append(errs, e.Saved[i].Err)
	}
	return errors.Join(errs...)
}

// StateOf returns the state of the last process, if it is known.
func (e *Evidence) StateOf(who segment.Identity) (s state.Value, known bool) {
	if !e.BeforeOK || e.Before.Identity != who {
		return state.Value{}, false
	}
	return e.Before, true
}

// WhyLost returns why the content of a small file is not known. exists means that the file
// exists, err that it cannot be read, intact that its content is valid.
func WhyLost(exists bool, err error, intact bool) string {
	switch {
	case err != nil:
		return err.Error()
	case !exists:
		return "missing"
	case intact:
		return "of another journal"
	}
	return "damaged"
}
