// SPDX-License-Identifier: Apache-2.0

// Package deadletter stores the events that a sink permanently refused, with the reason. A
// letter stays until an operator replays or drops it, or until a limit of size or age
// removes it.
//
// A Box is a journal of its own, with the guarantees of package journal. A letter is one
// record. Adding the letter again writes a newer record, which replaces the older one.
// Removing letters and marking them for replay also writes records, which contain the ids.
// So the newest record about a letter determines its state. The cursor of the journal is
// before the oldest existing letter. Damage to a record undoes it: a removed letter may
// exist again, and a marked one may not be marked.
//
// The index needs 32 bytes of memory per letter.
package deadletter

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/daemon/ratelog"
)

// Options are the limits and dependencies of a box. SetLimits changes the limits later.
type Options struct {
	MaxBytes int64         // maximum disk space; the oldest letters are removed first, some at a time; 0 means unlimited
	MaxAge   time.Duration // maximum time since the refusal; 0 means unlimited
	// OnReplay is called when letters were marked for replay; NextReplay returns them. It
	// must neither block nor change the box. It is not called for letters that an earlier
	// process marked.
	OnReplay func()
	// OnDamage is called when Open finds damage: lost records, or a directory that is not a
	// box and was renamed.
	OnDamage func(error)
	Now      func() time.Time // nil means time.Now
	// Steady converts times to a clock that is never stepped. MaxAge is measured by it. nil
	// trusts Now.
	Steady func(time.Time) time.Time
	Log    *slog.Logger  // nil means no log
	FS     vfs.FS        // nil means the file system of the machine
	Retry  time.Duration // interval between attempts to open the box; 0 means 10 s
}

// Stats are the current contents of a box, and its losses since Open.
type Stats struct {
	Live    uint64 // existing letters
	Marked  uint64 // letters that are marked for replay
	Bytes   uint64 // used disk space
	Expired uint64 // letters that a limit removed
	Damaged uint64 // letters that could not be read back
}

// A Box stores the dead letters of one sink. It is safe for concurrent use.
type Box struct {
	dir     string
	repeats *ratelog.Logger // for log lines that can repeat
	opts    Options         // limits change while writeMu and mu are held: reading needs one of the two

	writeMu sync.Mutex      // serializes changes on disk; locked before mu
	reader  *journal.Reader // its cursor is before the oldest letter
	ahead   *record         // record that was read but not committed

	mu      sync.Mutex
	journal *journal.Journal // nil until there is a letter
	index   index
	stats   Stats
	fault   error  // why the box could not be opened; letters may exist
	first   uint64 // lowest record number in the journal at the last check

	limits chan struct{} // signals that SetLimits was called
	quit   chan struct{}
	done   sync.WaitGroup
}

const cursorName = "oldest"

// defaultRetry is the default of Options.Retry.
const defaultRetry = 10 * time.Second

// Open opens the box in a directory, which need not exist until the first Add. Damage
// loses letters but is not an error: a directory that is not a box is renamed. If the
// directory cannot be read, Fault returns the error, and the box retries in the
// background.
func Open(dir string, opts Options) *Box {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Steady == nil {
		opts.Steady = func(t time.Time) time.Time { return t }
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.OnReplay == nil {
		opts.OnReplay = func() {}
	}
	if opts.OnDamage == nil {
		opts.OnDamage = func(error) {}
	}
	if opts.Retry <= 0 {
		opts.Retry = defaultRetry
	}
	b := &Box{dir: dir, opts: opts, repeats: ratelog.New(opts.Log), limits: make(chan struct{}, 1), quit: make(chan struct{})}
	b.openIfThere()
	b.done.Go(b.maintain)
	return b
}

// openIfThere opens the box if its directory exists.
func (b *Box) openIfThere() {
	_, err := os.Stat(b.dir)
	switch {
	case err == nil:
		err = b.open()
	case errors.Is(err, os.ErrNotExist):
		err = nil
	default:
		err = fmt.Errorf("dead letters: %w", err)
	}
	b.setFault(err)
}

// setFault stores and logs whether the box can be read.
func (b *Box) setFault(err error) {
	b.mu.Lock()
	before := b.fault
	b.fault = err
	marked := b.index.marked
	b.mu.Unlock()
	const message = "the dead letters cannot be read; will try again"
	switch {
	case err != nil:
		b.repeats.Error(message, "directory", b.dir, "error", err)
	case before != nil:
		b.repeats.Resolved(message, "the dead letters can be read again", "directory", b.dir)
		if marked > 0 {
			b.opts.OnReplay()
		}
	}
}

// Fault returns why the letters cannot be read, or nil. While there is a fault, the box
// appears to be empty.
func (b *Box) Fault() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fault
}

// segmentsPerBox is the number of files of a full box. The size limit removes one at a time.
const segmentsPerBox = 32

func (b *Box) journalOptions() journal.Options {
	return journal.Options{
		MaxBytes: b.opts.MaxBytes, SegmentBytes: b.opts.MaxBytes / segmentsPerBox,
		Fsync: journal.FsyncAlways, Now: b.opts.Now, Steady: b.opts.Steady, FS: b.opts.FS, Log: b.opts.Log,
	}
}

func (b *Box) open() (err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	opts := b.journalOptions()
	b.journal, err = journal.Open(b.dir, opts)
	if errors.Is(err, journal.ErrForeign) {
		aside := b.dir + b.opts.Now().UTC().Format(".unusable-20060102T150405.000000000")
		why := err
		if err := os.Rename(b.dir, aside); err != nil {
			return fmt.Errorf("dead letters: %w", errors.Join(why, err))
		}
		b.opts.OnDamage(fmt.Errorf("%w: the directory was renamed to %s, and the box starts empty", why, aside))
		b.journal, err = journal.Open(b.dir, opts)
	}
	if err == nil {
		err = b.load()
	}
	if err != nil {
		b.release()
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}

// release closes the journal of the box. Add opens it again.
func (b *Box) release() {
	if b.journal != nil {
		b.journal.Close() // no records were written
	}
	b.journal, b.reader, b.ahead, b.index = nil, nil, nil, index{}
}

// Stats returns the current contents and the losses since Open.
func (b *Box) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.stats
	s.Live, s.Marked = uint64(b.index.live()), uint64(b.index.marked)
	if b.journal != nil {
		s.Bytes = uint64(b.journal.Stats().Bytes)
	}
	return s
}

// Close syncs and closes the box. The box must not be used afterwards.
func (b *Box) Close() error {
	close(b.quit)
	b.done.Wait()
	b.writeMu.Lock()
	defer b.writeMu.Unlock()
	if b.journal == nil {
		return nil
	}
	if err := errors.Join(b.reader.Close(), b.journal.Close()); err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}
