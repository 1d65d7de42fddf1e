// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/layout"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/state"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// Open opens the journal in a directory, and creates it if it does not exist. No damage makes
// it fail, nor does a full disk: broken pieces are skipped and counted, and repaired when
// the journal is used. A file that cannot be read now may be readable later, so no cursor moves
// past it. Open changes nothing, except that it locks the directory. Close of a journal
// that was not used changes nothing either.
func Open(dir string, opts Options) (*Journal, error) {
	j := newJournal(dir, opts)
	if err := j.open(); err != nil {
		j.release()
		if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS) {
			err = fmt.Errorf("%w; the directory and the files in it must be readable and writable for the user of this process", err)
		}
		return nil, fmt.Errorf("journal %s: %w", dir, err)
	}
	go j.maintainer.maintainLoop()
	return j, nil
}

// Probe returns the error with which Open would reject a directory because of its files, such
// as ErrForeign. A directory that is empty or does not exist is accepted. Probe changes
// nothing, and another process may have the journal open.
func Probe(dir string) error {
	e, err := layout.Examine(vfs.Disk{}, dir, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		_, _, err = e.Decide()
	}
	return err
}

// newJournal connects the parts. Each has pointers only to parts whose locks may be taken
// while its own lock is held.
func newJournal(dir string, opts Options) *Journal {
	opts.setDefaults()
	e := &env{dir: dir, fs: opts.FS, log: opts.Log, now: opts.Now, steady: opts.Steady, work: make(signal, 1)}
	e.options.Store(&opts)
	j := &Journal{
		env: e, cond: &condition{}, index: &index{}, readers: &readerSet{},
		cursors: cursor.NewSet(), state: state.New(e.fs, e.path(layout.StateName)),
	}
	j.repairs = &repairs{cond: j.cond, log: e.log}
	j.damage = damage.New(e.fs, dir, e.log, j.repairs.later)
	j.retention = &retention{env: e, cond: j.cond, state: j.state, cursors: j.cursors, damage: j.damage, index: j.index}
	j.writer = &writer{env: e, cond: j.cond, repairs: j.repairs, state: j.state, retention: j.retention, readers: j.readers, index: j.index}
	j.syncer = &syncer{
		env: e, cond: j.cond, writer: j.writer, repairs: j.repairs, state: j.state, retention: j.retention,
		cursors: j.cursors, damage: j.damage, index: j.index,
	}
	j.location = &location{
		env: e, cond: j.cond, syncer: j.syncer, writer: j.writer, state: j.state, retention: j.retention,
		cursors: j.cursors, readers: j.readers, damage: j.damage, index: j.index,
	}
	j.maintainer = &maintainer{
		env: e, syncer: j.syncer, location: j.location,
		changed: make(signal, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	return j
}

// open reads the directory. Nothing else uses the journal yet.
func (j *Journal) open() error {
	e, fresh, err := j.location.claim()
	if err != nil {
		return err
	}
	j.damage.MeasureQuarantine()
	r := recovery{env: j.env, index: j.index, cursors: j.cursors, damage: j.damage, repairs: j.repairs, cond: j.cond}
	r.takeSegments(e)
	before, known := e.StateOf(j.who)
	t := r.recoverTail(before.Clean)
	r.takeCursors(e)
	r.settle(&before, known, t)
	j.recovered = j.index.generation
	r.checkEnds(&before)
	r.reopenUnsynced(t.Next, before.SyncFailed || e.StateErr != nil)
	j.planRepairs(e, fresh, known)
	return nil
}

// planRepairs adds the repairs of the small files.
func (j *Journal) planRepairs(e *layout.Evidence, fresh, known bool) {
	if j.planMeta(e, fresh) {
		path := j.path(layout.MetaName)
		j.repairs.later("write "+path, func() error { return vfs.WriteFile(j.fs, path, layout.EncodeMeta(j.who)) })
	}
	j.repairs.later("write "+j.path(layout.LockName), j.location.noteOwner)
	if !known && !fresh {
		j.damage.Add(func(c *damage.Counts) { c.Repairs++ })
		j.log.Error("the journal's state is lost; numbers that may have been used are skipped",
			"file", j.state.Path(), "reason", layout.WhyLost(e.State, e.StateErr, e.BeforeOK))
	}
	reserve := func() error { return j.state.Start(known, j.firstState) }
	j.repairs.add(&repair{what: "reserve numbers in " + j.state.Path(), needed: true, do: reserve})
	j.repairs.later("write the cursors", func() error { return j.cursors.Flush(false) })
	for _, f := range e.Temps { // last: the repairs above may use these files
		j.repairs.later("remove "+j.path(f.Name), func() error { return j.removeLeftover(f) })
	}
}

// firstState returns the state that reserves the first numbers.
func (j *Journal) firstState() state.Value {
	j.index.mu.Lock()
	defer j.index.mu.Unlock()
	v := state.Value{Identity: j.who, Reserved: j.index.Next + state.ReserveStep}
	v.Oldest, v.Newest = j.index.ends()
	return v
}

// planMeta reports whether meta must be written. A file that cannot be read is not
// changed: its content is known from other files.
func (j *Journal) planMeta(e *layout.Evidence, fresh bool) bool {
	path := j.path(layout.MetaName)
	switch {
	case fresh:
		return true
	case e.IDErr != nil:
		j.log.Error("a file of the journal cannot be read; its content is known from other files", "file", path, "error", e.IDErr)
		return false
	case e.IDOK && e.ID == j.who:
		return false
	}
	j.damage.Add(func(c *damage.Counts) { c.Repairs++ })
	args := []any{"file", path, "reason", layout.WhyLost(e.Meta, nil, e.IDOK), "journal", layout.FormatID(j.who.ID)}
	if e.IDOK {
		args = append(args, "file_is_of_journal", layout.FormatID(e.ID.ID))
	}
	j.log.Error("a file of the journal is rewritten, because most other files disagree with it", args...)
	return true
}

// removeLeftover removes a file that was not complete when the process ended.
func (j *Journal) removeLeftover(f vfs.FileInfo) error {
	removed, err := vfs.RemoveSame(j.fs, j.path(f.Name), f)
	if removed {
		j.log.Info("removed an incomplete file", "file", j.path(f.Name), "bytes", f.Bytes)
	}
	return err
}

// A recovery builds the index from the files that the last process has left.
type recovery struct {
	*env
	index   *index
	cursors *cursor.Set
	damage  *damage.Log
	repairs *repairs
	cond    *condition
}

// takeSegments lists the segments, except files that do not belong to this journal.
func (r *recovery) takeSegments(e *layout.Evidence) {
	for i, f := range e.Segments {
		h := &e.Headers[i]
		first, _ := segment.ParseName(f.Name)
		sure := h.OK && h.Identity == r.who && h.First == first
		if h.OK && !sure {
			r.damage.Add(func(c *damage.Counts) { c.Strays++ })
			r.log.Error("a file is not a part of this journal and is left alone; it was copied or renamed, or is of another journal",
				"file", r.path(f.Name), "its_journal", layout.FormatID(h.ID), "its_first_number", h.First)
			continue
		}
		if h.Err != nil {
			r.damage.Unreadable(first, h.Err)
		}
		if f.Bytes > segment.MaxLen {
			r.log.Error("a segment of the journal is too large; the rest of it is not read",
				"file", r.path(f.Name), "bytes", f.Bytes, "limit", int64(segment.MaxLen))
		}
		r.index.segments = append(r.index.segments, &logSegment{
			first: first, size: min(f.Bytes, segment.MaxLen), began: f.ModTime, used: f.ModTime.Add(fileTimeGrain),
			sure: sure, index: h.Index, id: f.ID,
		})
	}
}

func (r *recovery) takeCursors(e *layout.Evidence) {
	for i, f := range e.Cursors {
		c := cursor.New(r.fs, r.path(f.Name), strings.TrimPrefix(f.Name, cursor.Prefix), r.who.ID)
		c.Take(&e.Saved[i])
		switch err := c.Unread(); {
		case err != nil:
			r.log.Error("a cursor cannot be read; its reader waits for it", "file", c.Path, "error", err)
		case c.Broken():
			r.damage.Add(func(c *damage.Counts) { c.Cursors++ })
			r.log.Error("a cursor is damaged; its reader begins again with the oldest record", "file", c.Path)
		}
		r.cursors.Add(c)
	}
}
