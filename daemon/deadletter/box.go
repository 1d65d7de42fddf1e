// SPDX-License-Identifier: Apache-2.0

// Package deadletter keeps the events that a sink has refused for good, with the
// reason, until somebody has them replayed or drops them, or they are too many or
// too old.
//
// A Box is a journal of its own: see that package for what it survives. A letter
// is a record; a letter that is added again is a newer record, which holds. What is
// removed, and what is marked for a replay, is written as records too, which name
// the letters. So the newest record on a letter tells what became of it. The cursor
// of the box's journal stands before the oldest letter that is still there. Damage
// to such a record takes back what it says: a letter that was removed may be there
// again, one that was marked is not.
//
// Nothing is kept in memory of a letter but 32 bytes.
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

// Options are a box's limits and surroundings. SetLimits changes the limits later.
type Options struct {
	MaxBytes int64         // of disk space; the oldest letters go first, some at a time; 0 is no limit
	MaxAge   time.Duration // since the refusal; 0 is no limit
	// OnReplay is called when letters are to be replayed: NextReplay has them. It must
	// not block, nor change the box. Letters that an earlier process left over have no call.
	OnReplay func()
	// OnDamage is called when opening the box found damage: records that are lost, or a
	// directory that is not a box and was renamed.
	OnDamage func(error)
	Now      func() time.Time // nil is time.Now
	// Steady translates times to a clock that is not stepped, by which MaxAge is measured.
	// nil trusts the clock.
	Steady func(time.Time) time.Time
	Log    *slog.Logger  // nil is none
	FS     vfs.FS        // nil is the machine's
	Retry  time.Duration // interval between attempts to open a box; 0 is 10 s
}

// Stats is what a box holds, and what it has lost since it was opened.
type Stats struct {
	Live    uint64 // letters
	Marked  uint64 // of them, that are to be replayed
	Bytes   uint64 // of disk space
	Expired uint64 // letters that a limit has taken, exactly
	Damaged uint64 // letters that could not be read back
}

// A Box is safe for concurrent use.
type Box struct {
	dir     string
	repeats *ratelog.Logger // of log lines
	opts    Options         // the limits are changed with work and mu held: one of them is enough to read

	work   sync.Mutex      // held while changing what is on disk; taken before mu
	reader *journal.Reader // its cursor stands before the oldest letter
	ahead  *record         // that the reader has read and not committed

	mu      sync.Mutex
	journal *journal.Journal // nil as long as there was no letter
	index   index
	stats   Stats
	fault   error  // why the box could not be opened, though there may be letters
	first   uint64 // the lowest number in the journal when that was last looked at

	limits chan struct{} // they are others
	quit   chan struct{}
	done   sync.WaitGroup
}

const cursorName = "oldest"

// defaultRetry is Options.Retry.
const defaultRetry = 10 * time.Second

// Open opens the box in a directory. There need not be one until a letter is
// added. Damage costs letters, but no error: a directory that cannot be used at all
// is put aside. A directory that cannot be read now is a Fault, and is tried again.
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
	b.done.Go(b.age)
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
	b.settle(err)
}

// settle notes whether the box can be read.
func (b *Box) settle(err error) {
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
		b.repeats.Over(message, "the dead letters can be read again", "directory", b.dir)
		if marked > 0 {
			b.opts.OnReplay()
		}
	}
}

// Fault returns why the letters in the directory cannot be read, nil when they can. Until
// then the box looks empty, and is not.
func (b *Box) Fault() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fault
}

// segmentsPerBox is how many files a full box has: the limit takes one at a time.
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
		b.opts.OnDamage(fmt.Errorf("%w: the directory is now %s, and the dead letters begin again", why, aside))
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

// release lets go of the box's journal; Add opens it again.
func (b *Box) release() {
	if b.journal != nil {
		b.journal.Close() // nothing was written
	}
	b.journal, b.reader, b.ahead, b.index = nil, nil, nil, index{}
}

// Stats returns the box's account.
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

// Close makes everything durable. The box must not be used any more.
func (b *Box) Close() error {
	close(b.quit)
	b.done.Wait()
	b.work.Lock()
	defer b.work.Unlock()
	if b.journal == nil {
		return nil
	}
	if err := errors.Join(b.reader.Close(), b.journal.Close()); err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}
