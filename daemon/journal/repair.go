// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// A repair is a change that Open has found necessary. It is made when the journal is
// used for the first time: a start that is refused leaves all files as they were, and
// one on a disk that is full or broken can still deliver what is there.
type repair struct {
	what   string
	do     func() error
	needed bool // nothing is appended before it is done
	told   bool // the log has that it fails
}

// later notes a repair that nothing depends on.
func (j *Journal) later(what string, do func() error) {
	j.repairMu.Lock()
	defer j.repairMu.Unlock()
	j.repairs = append(j.repairs, &repair{what: what, do: do})
}

// begin makes the journal fit for writing. The error is that of a repair that Append
// needs; those that fail are tried again by the keeper.
func (j *Journal) begin() (err error) {
	j.repairMu.Lock()
	defer j.repairMu.Unlock()
	todo := j.repairs
	j.repairs = nil
	for _, r := range todo {
		rerr := r.do()
		if rerr == nil {
			continue
		}
		j.repairs = append(j.repairs, r)
		rerr = fmt.Errorf("%s: %w", r.what, rerr)
		if r.needed {
			err = errors.Join(err, rerr)
		}
		if !r.told {
			r.told = true
			j.log.Error("the journal could not be repaired; will try again", "error", rerr)
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.unfit = err
	j.begun = j.begun || err == nil
	return err
}

// isUsed reports whether files may be written.
func (j *Journal) isUsed() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.used
}

// use lets the keeper begin its work.
func (j *Journal) use() {
	j.mu.Lock()
	first := !j.used
	j.used = true
	j.mu.Unlock()
	if first {
		j.work()
	}
}

// planRepairs notes what is to be done before the first Append, and what should be.
func (j *Journal) planRepairs(e *evidence, fresh, known bool) {
	if j.planMeta(e, fresh) {
		j.later("write "+j.path(metaName), func() error { return vfs.WriteFile(j.fs, j.path(metaName), encodeMeta(j.who)) })
	}
	j.later("write "+j.path(lockName), j.noteOwner)
	if !known && !fresh {
		j.damage.Repairs++
		j.log.Error("the journal's state is lost; numbers that may have been used are left out", "file", j.path(stateName), "reason", whyLost(e.state, e.stateErr, e.beforeOK))
	}
	j.repairs = append(j.repairs, &repair{what: "reserve numbers in " + j.path(stateName), needed: true, do: func() error { return j.startState(known) }})
	j.later("write the cursors", func() error { return j.flushCursors(false) })
	for _, f := range e.temps { // last: those that are written again need not be new
		j.later("remove "+j.path(f.Name), func() error { return j.removeLeftover(f) })
	}
}

// planMeta reports whether meta is to be written. One that cannot be read is left
// alone: what it says is known from elsewhere.
func (j *Journal) planMeta(e *evidence, fresh bool) bool {
	switch {
	case fresh:
		return true
	case e.idErr != nil:
		j.log.Error("a file of the journal cannot be read; what it says is known from others", "file", j.path(metaName), "error", e.idErr)
		return false
	case e.idOK && e.id == j.who:
		return false
	}
	j.damage.Repairs++
	args := []any{"file", j.path(metaName), "reason", whyLost(e.meta, nil, e.idOK), "journal", formatID(j.who.ID)}
	if e.idOK {
		args = append(args, "file_is_of_journal", formatID(e.id.ID))
	}
	j.log.Error("a file of the journal is rewritten, as most others say", args...)
	return true
}

func whyLost(there bool, err error, intact bool) string {
	switch {
	case err != nil:
		return err.Error()
	case !there:
		return "missing"
	case intact:
		return "of another journal"
	}
	return "damaged"
}

// removeLeftover removes what a crash has left of a file that was being written.
func (j *Journal) removeLeftover(f vfs.FileInfo) error {
	if f.Kind != "" {
		return &os.PathError{Op: "remove", Path: j.path(f.Name), Err: vfs.Irregular(f.Kind)}
	}
	now, err := j.fs.Stat(j.path(f.Name))
	if errors.Is(err, os.ErrNotExist) || err == nil && now.ID != f.ID {
		return nil // it was used
	}
	if err == nil {
		err = j.fs.Remove(j.path(f.Name))
	}
	if err != nil {
		return err
	}
	j.log.Info("removed a file that was not complete", "file", j.path(f.Name), "bytes", f.Bytes)
	return nil
}

// noteOwner writes who has the lock. It is padded, so that nothing is left of a longer
// number.
func (j *Journal) noteOwner() error {
	_, err := j.lock.WriteAt(fmt.Appendf(nil, "%-20s\n", strconv.Itoa(os.Getpid())), 0)
	return err
}

// startState reserves numbers, and makes the next start find an unclean stop
// unless Close is reached.
func (j *Journal) startState(known bool) (err error) {
	j.stateSync.Lock()
	defer j.stateSync.Unlock()
	j.mu.Lock()
	s := state{Identity: j.who, reserved: j.next + reserveStep}
	s.oldest, s.newest = j.ends()
	j.mu.Unlock()
	if known && j.stateSlots == nil {
		// When this fails the file is made anew: it says nothing that is not known.
		j.stateSlots, _, _, _ = slot.Open(j.fs, j.path(stateName))
	}
	if j.stateSlots != nil {
		return j.changeState(func(old *state) { *old = s })
	}
	return j.createState(&s)
}

// createState makes the file anew. The caller holds stateSync.
func (j *Journal) createState(s *state) error {
	j.stateMu.Lock()
	defer j.stateMu.Unlock()
	slots, err := slot.Create(j.fs, j.path(stateName), s.encode())
	if err != nil {
		return err
	}
	j.stateSlots, j.state = slots, *s
	j.setReserved(s.reserved)
	return nil
}

// ends returns the first numbers of the oldest and of the newest segment, 0 without
// one. The caller holds mu.
func (j *Journal) ends() (oldest, newest uint64) {
	if n := len(j.segments); n > 0 {
		return j.segments[0].first, j.segments[n-1].first
	}
	return 0, 0
}

// cutTail takes off a segment's end what no batch is. Should this fail: readers stop at
// size, and later ones find damage in which nothing is missing.
func (j *Journal) cutTail(first uint64, at int64) error {
	file, err := j.fs.Open(j.path(segment.Name(first)), unix.O_RDWR)
	if err != nil {
		return err
	}
	return errors.Join(file.Truncate(at), file.Close())
}
