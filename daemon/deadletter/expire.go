// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"time"

	"github.com/genltestd/genltestd/daemon/journal"
)

// A record is the last record that the reader returned.
type record struct {
	journal.Record
	id     ID
	letter bool
}

// SetLimits changes Options.MaxBytes and Options.MaxAge. When it returns, the letters that
// exceed them are removed and counted.
func (b *Box) SetLimits(maxBytes int64, maxAge time.Duration) {
	b.writeMu.Lock()
	defer b.writeMu.Unlock()
	b.mu.Lock()
	b.opts.MaxBytes, b.opts.MaxAge = maxBytes, maxAge
	b.mu.Unlock()
	if b.journal != nil {
		b.journal.Configure(b.journalOptions())
	}
	b.applyLimits()
	select {
	case b.limits <- struct{}{}:
	default: // maintain has not received the previous signal yet
	}
}

// maintain regularly removes expired letters, and retries to open a box with a fault.
func (b *Box) maintain() {
	for {
		var look <-chan time.Time
		if age := b.maxAge(); b.Fault() != nil {
			look = time.After(b.opts.Retry)
		} else if age > 0 {
			look = time.After(min(max(age/100, time.Second), time.Minute))
		}
		select {
		case <-look:
			b.writeMu.Lock()
			if b.Fault() != nil {
				b.openIfThere()
			}
			b.applyLimits()
			b.writeMu.Unlock()
		case <-b.limits:
		case <-b.quit:
			return
		}
	}
}

func (b *Box) maxAge() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opts.MaxAge
}

// applyLimits counts the letters that a limit removes, and lets the journal free the disk
// space before the oldest letter. The caller must hold writeMu.
func (b *Box) applyLimits() {
	if b.journal == nil {
		return
	}
	if n := b.expire(); n > 0 {
		b.repeats.Warn("dead letters removed: they exceed a limit of the sink", "letters", n)
	}
	if err := b.advance(); err != nil {
		b.repeats.Warn("cannot free the disk space of dead letters", "directory", b.dir, "error", err)
	}
}

// expire removes the letters that exceed a limit from the index, and returns their number.
func (b *Box) expire() (n uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if first := b.journal.Stats().First; first > b.first {
		b.first = first
		n += b.index.removeIf(func(e *entry) bool { return e.number < first })
	}
	if b.opts.MaxAge > 0 {
		oldest := b.opts.Steady(b.opts.Now()).Add(-b.opts.MaxAge)
		n += b.index.removeIf(func(e *entry) bool { return b.opts.Steady(time.Unix(0, e.refused)).Before(oldest) })
	}
	b.stats.Expired += n
	return n
}

// advance moves the cursor to the position before the oldest letter.
func (b *Box) advance() (err error) {
	var passed *record
	for {
		if b.ahead == nil {
			if b.ahead, err = b.readOne(); b.ahead == nil {
				break
			}
		}
		if b.holds(b.ahead) {
			break
		}
		passed, b.ahead = b.ahead, nil
	}
	if passed == nil || err != nil {
		return err
	}
	return b.reader.Commit(passed.Record)
}

func (b *Box) readOne() (*record, error) {
	var one [1]journal.Record
	if n, _, err := b.reader.TryRead(one[:]); n == 0 {
		return nil, err
	}
	r := &record{Record: one[0]}
	kind, name, rest, err := parseKind(r.Data)
	if err == nil && isLetter(kind) {
		l, err := parseLetter(kind, name, rest)
		r.id, r.letter = l.ID, err == nil
	}
	r.Data = nil // valid only until the next read
	return r, nil
}

// holds reports whether the record is the newest of an existing letter.
func (b *Box) holds(r *record) bool {
	if !r.letter {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.index.find(r.id)
	return e != nil && e.number == r.Seq
}
