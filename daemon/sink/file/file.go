// SPDX-License-Identifier: Apache-2.0

// Package file implements the sink that appends events as lines to a file, each exactly
// once across the end of the process. If configured, it rotates the file, and compresses
// and removes rotated files.
package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/lines"
)

var (
	_ sink.Sink     = (*Sink)(nil)
	_ sink.Reopener = (*Sink)(nil)
)

// A Sink appends to one file. It follows the path: when the file was renamed or removed
// (by logrotate or an operator), the next batch is written to a new file.
type Sink struct {
	config *Config
	env    sink.Env
	log    *slog.Logger
	limits *ratelog.Logger // of lines that may repeat
	now    func() time.Time
	age    func(time.Time) time.Duration
	stale  atomic.Bool // Reopen was called

	mu       sync.Mutex // held by each method; guards the fields below
	lines    *lines.Buffer
	target   target
	position *position // nil until the first Deliver
	known    known
	packer   *packer // nil before the first rotation
	unnoted  bool    // the disk was full at the last note
}

// New returns a sink that opens its file with the first batch.
func New(c *Config, env sink.Env) *Sink {
	log := env.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Sink{config: c, env: env, log: log, limits: ratelog.New(log), now: env.Now, age: env.Age, lines: lines.NewBuffer(env.Encoder)}
	if s.now == nil {
		s.now = time.Now
	}
	if s.age == nil {
		s.age = func(t time.Time) time.Duration { return s.now().Sub(t) }
	}
	return s
}

// Deliver implements sink.Sink. It hangs while the file system hangs, because a write to a
// regular file cannot be interrupted.
func (s *Sink) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return 0, err
	}
	accepted, err := s.write(events)
	if s.config.durable() && accepted > 0 {
		if serr := s.target.file.Sync(); serr != nil {
			// The kernel does not remember which pages it failed to write. So no event of
			// this batch counts as accepted, and the batch is written again with the same
			// ids.
			return 0, errors.Join(err, fmt.Errorf("fsync: %w", serr), s.position.clear(), s.target.close())
		}
	}
	return accepted, err
}

// ready opens the files that are closed, and follows the path.
func (s *Sink) ready() error {
	if s.stale.Swap(false) {
		if err := s.target.leave(); err != nil {
			return err
		}
	}
	if err := s.target.follow(s.config.Path); err != nil {
		return err
	}
	if s.target.file == nil {
		if err := s.open(); err != nil {
			return err
		}
	}
	if s.position == nil || s.position.none {
		if err := s.restorePosition(); err != nil {
			return errors.Join(err, s.target.close())
		}
	}
	if s.packer == nil && s.config.Rotate.enabled() {
		s.packer = startPacker(s.config, s.limits, s.age)
	}
	return s.target.endForeignLine()
}

func (s *Sink) open() error {
	return s.target.open(s.config.Path, fs.FileMode(s.config.Mode), s.config.durable(), s.now())
}

// write appends the events that are not yet in the files. Each run of them is one write.
func (s *Sink) write(events []event.Event) (accepted int, err error) {
	s.known.forgetTaken()
	for accepted < len(events) {
		if s.known.take(&events[accepted]) {
			accepted++
			continue
		}
		run := events[accepted : accepted+s.known.untilNext(events[accepted:])]
		n, err := s.append(run)
		accepted += n
		if err != nil {
			return accepted, err
		}
		if accepted < len(events) {
			// The next run's note must include these events.
			s.known.add(run)
		}
	}
	s.known.passed(events)
	return accepted, nil
}

// append notes the write that follows, and writes the lines. It returns the number of
// events whose lines are complete in the file.
func (s *Sink) append(events []event.Event) (int, error) {
	encodeErr := s.lines.Encode(events)
	text := s.lines.Bytes()
	if len(text) == 0 {
		return 0, encodeErr
	}
	if err := s.rotateIfDue(int64(len(text))); err != nil {
		return 0, err
	}
	begin, err := s.target.resume(text)
	if err != nil {
		return 0, err
	}
	noted, err := s.position.noteIfRoom(&s.target, &s.known, events[:s.lines.Len()], s.lines)
	if err != nil {
		return 0, fmt.Errorf("position: %w", err)
	}
	s.logRoom(noted)
	n, err := s.target.file.Write(text[begin:])
	whole, rest := s.lines.Whole(begin + n)
	s.target.size, s.target.torn = s.target.size+int64(n), int64(rest)
	if err != nil {
		return whole, fmt.Errorf("append: %w", err)
	}
	if err := s.position.end(); err != nil {
		return whole, fmt.Errorf("position: %w", err)
	}
	return whole, encodeErr
}

// logRoom logs a change between a disk with and without room for notes.
func (s *Sink) logRoom(noted bool) {
	const full = "the disk is full, so the position file cannot be written: after a crash the last batch would be written twice"
	switch {
	case s.unnoted == !noted:
		return
	case noted:
		s.limits.Resolved(full, "the disk has room for the position file again: each event is written exactly once")
	default:
		s.limits.Warn(full, "position", s.env.Position)
	}
	s.unnoted = !noted
}

// Reopen implements sink.Reopener. The current batch ends in the file in which it began.
func (s *Sink) Reopen() {
	s.stale.Store(true)
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	if s.stale.Swap(false) {
		if err := s.target.leave(); err != nil {
			s.log.Error("cannot close the file of a sink", "path", s.config.Path, "error", err)
		}
	}
}

// Close implements sink.Sink.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.packer != nil {
		s.packer.stop()
		s.packer = nil
	}
	err := s.target.close()
	if s.position != nil {
		err = errors.Join(err, s.position.close())
		s.position = nil
	}
	return err
}

// syncDir makes a name in the directory of path durable.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
