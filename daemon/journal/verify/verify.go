// SPDX-License-Identifier: Apache-2.0

// Package verify checks the journal in a directory, and reads all records of it. It changes
// nothing and needs no lock, so it can be used while a daemon has the journal open.
package verify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/layout"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/state"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// A Problem is one piece of damage.
type Problem struct {
	Path    string
	Offset  int64
	Bytes   int64
	Records uint64 // that are missing
	What    string
}

// A Summary describes the content of a journal.
type Summary struct {
	ID         string
	Segments   int
	Bytes      int64
	Records    uint64
	Missing    uint64 // records that are missing between others
	First      uint64 // number of the oldest record; 0 without a record
	Last       uint64
	Generation uint64 // of the last batch
	Cursors    []Place
	Torn       int64 // bytes of an incomplete last write, which is not a damage
	Problems   int
}

// A Place is the position of a reader.
type Place struct {
	Name    string
	Next    uint64 // number of the first record that the reader may still need
	Waiting uint64 // number of records from Next on
	index   uint64
}

// Check reads a whole journal, and calls report for each problem. The error means that the
// directory cannot be read, or does not contain a journal.
func Check(dir string, report func(Problem)) (Summary, error) {
	return CheckFS(vfs.Disk{}, dir, report, func(*segment.Frame) error { return nil })
}

// CheckFS is Check on another file system. It calls visit for each valid frame, and stops
// at an error of visit.
func CheckFS(fs vfs.FS, dir string, report func(Problem), visit func(*segment.Frame) error) (Summary, error) {
	c := checker{fs: fs, dir: dir, report: report}
	err := c.check(visit)
	return c.sum, err
}

// Dump calls f for each record that can be read, with the journal's id, and returns the
// summary of Check. The record is valid until f returns. Dump stops at an error of f, and
// returns it.
func Dump(dir string, f func(id string, r segment.Record) error) (Summary, error) {
	c := checker{fs: vfs.Disk{}, dir: dir, report: func(Problem) {}}
	err := c.check(func(fr *segment.Frame) error {
		rest := fr.Payload
		for i := range fr.Count {
			rec := segment.Record{Seq: fr.First + i, Time: fr.Received(), Index: fr.Index + i}
			rec.Data, rest = segment.Message(rest)
			if err := f(c.sum.ID, rec); err != nil {
				return err
			}
		}
		return nil
	})
	return c.sum, err
}

// A checker is one run of Check or Dump.
type checker struct {
	fs     vfs.FS
	dir    string
	report func(Problem)
	who    segment.Identity
	sum    Summary
	index  uint64 // of the next record, if known
	known  bool
	torn   Problem // an incomplete write at the end
}

// problem reports a problem.
func (c *checker) problem(p Problem) {
	c.sum.Problems++
	c.report(p)
}

// check checks the whole journal, and calls frame for each frame.
func (c *checker) check(frame func(*segment.Frame) error) error {
	e, err := layout.Examine(c.fs, c.dir, nil)
	if err != nil {
		return fmt.Errorf("journal %s: %w", c.dir, err)
	}
	who, fresh, err := e.Decide()
	if err == nil && fresh {
		err = fmt.Errorf("%w: it is empty", layout.ErrForeign)
	}
	if err != nil {
		return fmt.Errorf("journal %s: %w", c.dir, err)
	}
	c.who, c.sum.ID = who, layout.FormatID(who.ID)
	before, ok := c.checkFiles(e)
	// List again: the segments of a clean state are a part of these.
	l, err := layout.List(c.fs, c.dir)
	if err != nil {
		return fmt.Errorf("journal %s: %w", c.dir, err)
	}
	after := c.readState()
	c.checkStart(l.Segments, &after)
	c.checkNewest(l.Segments, &before)
	if err := c.checkSegments(l.Segments, frame); err != nil {
		return err
	}
	last := c.readState()
	c.checkEnd(&before, ok && before.Clean && last == before)
	return nil
}

// checkFiles checks all files except the segments, and returns the state if it is known.
func (c *checker) checkFiles(e *layout.Evidence) (s state.Value, ok bool) {
	for _, f := range append(e.Others, e.Temps...) {
		if f.Kind != "" {
			c.problem(Problem{Path: filepath.Join(c.dir, f.Name), What: vfs.Irregular(f.Kind).Error()})
		}
	}
	if e.IDErr != nil {
		c.problem(Problem{Path: filepath.Join(c.dir, layout.MetaName), What: notRead(e.IDErr)})
	} else if !e.IDOK || e.ID != c.who {
		what := layout.WhyLost(e.Meta, nil, e.IDOK) + "; the next start rewrites it"
		c.problem(Problem{Path: filepath.Join(c.dir, layout.MetaName), What: what})
	}
	if s, ok = e.StateOf(c.who); !ok {
		what := layout.WhyLost(e.State, nil, e.BeforeOK) + "; the next start resets it"
		if e.StateErr != nil {
			what = notRead(e.StateErr)
		}
		c.problem(Problem{Path: filepath.Join(c.dir, layout.StateName), What: what})
	}
	c.checkCursors(e)
	return s, ok
}

// notRead returns the text of a problem with a file that cannot be read. The path is not
// a part of the text.
func notRead(err error) string {
	var perr *os.PathError
	if errors.As(err, &perr) {
		err = perr.Err
	}
	return "cannot be read: " + err.Error()
}

// readState returns the state, or the zero value if it is not known.
func (c *checker) readState() state.Value {
	value, ok, err := slot.Read(c.fs, filepath.Join(c.dir, layout.StateName))
	if s := state.Parse(value); err == nil && ok && s.Identity == c.who {
		return s
	}
	return state.Value{}
}

// checkCursors checks the cursors, and adds them to the summary.
func (c *checker) checkCursors(e *layout.Evidence) {
	for i, f := range e.Cursors {
		saved := &e.Saved[i]
		path := filepath.Join(c.dir, f.Name)
		at, ours := cursor.Parse(saved.Value, c.who.ID)
		switch {
		case saved.Err != nil:
			c.problem(Problem{Path: path, What: notRead(saved.Err)})
		case !saved.OK || !ours:
			c.problem(Problem{Path: path, What: "damaged; its reader begins again with the oldest record"})
		default:
			c.sum.Cursors = append(c.sum.Cursors, Place{Name: strings.TrimPrefix(f.Name, cursor.Prefix), Next: at.Next, index: at.Index})
		}
	}
}

// checkStart reports segments that are missing at the beginning, unless the journal has
// removed them. s was read after the segments were listed, so it includes all removals
// before that.
func (c *checker) checkStart(segments []vfs.FileInfo, s *state.Value) {
	first := uint64(0)
	if len(segments) > 0 {
		first, _ = segment.ParseName(segments[0].Name)
	}
	if s.Oldest > 0 && (first == 0 || first > s.Oldest) {
		path := filepath.Join(c.dir, segment.Name(s.Oldest))
		c.problem(Problem{Path: path, What: "missing, and perhaps segments after it: the journal has not removed it"})
	}
}

// checkNewest reports a missing newest segment. s was read before the segments were
// listed.
func (c *checker) checkNewest(segments []vfs.FileInfo, s *state.Value) {
	last := uint64(0)
	if n := len(segments); n > 0 {
		last, _ = segment.ParseName(segments[n-1].Name)
	}
	if s.Newest > last {
		c.problem(Problem{Path: filepath.Join(c.dir, segment.Name(s.Newest)), What: "missing, and perhaps segments before it"})
	}
}

// checkEnd checks the end of the last segment. A clean state contains the position of the
// end. Otherwise the last write may be incomplete.
func (c *checker) checkEnd(s *state.Value, clean bool) {
	for i := range c.sum.Cursors {
		if p := &c.sum.Cursors[i]; c.known && p.index < c.index {
			p.Waiting = c.index - p.index
		}
	}
	switch {
	case !clean:
		c.sum.Torn = c.torn.Bytes
		return
	case c.torn.Path != "":
		c.problem(c.torn)
	}
	if s.Index > c.index {
		p := Problem{Path: c.dir, What: "records are missing at the end"}
		if c.known {
			p.Records = s.Index - c.index
			c.sum.Missing += p.Records
		}
		c.problem(p)
	}
}

// expect compares the index of the next record with the expected index.
func (c *checker) expect(path string, off int64, index uint64) {
	if c.known && index > c.index {
		c.sum.Missing += index - c.index
		c.problem(Problem{Path: path, Offset: off, Records: index - c.index, What: "records are missing before this offset"})
	}
	c.index, c.known = index, true
}

// account counts the records of a frame.
func (c *checker) account(f *segment.Frame) {
	if c.sum.First == 0 {
		c.sum.First = f.First
	}
	c.index = f.Index + f.Count
	c.sum.Records += f.Count
	c.sum.Last, c.sum.Generation = f.End()-1, f.Generation
}
