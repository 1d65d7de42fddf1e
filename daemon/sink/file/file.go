// SPDX-License-Identifier: Apache-2.0

// Package file is the sink that appends events as lines to a file, each exactly
// once across the end of the process. It rotates the file, if asked to, and packs
// and removes what it has rotated.
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

// Options say where and how to write.
type Options struct {
	Path     string
	Mode     fs.FileMode // of a file that is created
	Encoder  event.Encoder
	Fsync    bool   // fsync after each batch, before it counts as taken
	Position string // file that keeps what is being written; "" for no memory across processes
	BootID   string // of this boot; "" is what the kernel says, and none if that cannot be read
	Rotate   Rotate
	Log      *slog.Logger // of what goes wrong beside the delivery
	// Now is the time and Age what has passed since another; nil trusts the machine's clock.
	Now func() time.Time
	Age func(time.Time) time.Duration
}

// A Sink appends to one file. It follows the path: when the file was moved away
// or removed (logrotate, an operator), the next batch goes to a new one.
type Sink struct {
	opts   Options
	log    *slog.Logger
	limits *ratelog.Logger // of lines that may repeat
	now    func() time.Time
	age    func(time.Time) time.Duration
	stale  atomic.Bool // Reopen was called

	mu       sync.Mutex // held by each method; guards what follows
	lines    *lines.Buffer
	target   target
	position *position // nil until the first Deliver
	known    known
	packer   *packer // nil until there is something to rotate
	unnoted  bool    // there was no room for the last note
}

// New returns a sink that opens its file with the first batch.
func New(opts Options) *Sink {
	log := opts.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Sink{opts: opts, log: log, limits: ratelog.New(log), now: opts.Now, age: opts.Age, lines: lines.NewBuffer(opts.Encoder)}
	if s.now == nil {
		s.now = time.Now
	}
	if s.age == nil {
		s.age = func(t time.Time) time.Duration { return s.now().Sub(t) }
	}
	return s
}

// Deliver implements sink.Sink. A file system that hangs makes it hang: nothing can
// interrupt a write to a regular file.
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
	if s.opts.Fsync && accepted > 0 {
		if serr := s.target.file.Sync(); serr != nil {
			// The kernel forgets which pages it failed to write: nothing of this batch
			// counts as taken, and it is written once more, with the same ids.
			return 0, errors.Join(err, fmt.Errorf("fsync: %w", serr), s.position.clear(), s.target.close())
		}
	}
	return accepted, err
}

// ready opens what is not open and follows the path.
func (s *Sink) ready() error {
	if s.stale.Swap(false) {
		if err := s.target.leave(); err != nil {
			return err
		}
	}
	if err := s.target.follow(s.opts.Path); err != nil {
		return err
	}
	if s.target.file == nil {
		if err := s.target.open(s.opts.Path, s.opts.Mode, s.opts.Fsync, s.now()); err != nil {
			return err
		}
	}
	if s.position == nil || s.position.none {
		if err := s.recall(); err != nil {
			return errors.Join(err, s.target.close())
		}
	}
	if s.packer == nil && s.opts.Rotate.on() {
		s.packer = startPacker(s.opts, s.limits, s.age)
	}
	return s.target.endForeignLine()
}

// write appends those of the events that are not in the files yet. Each run of them
// is one write.
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
			// It must outlast the note of the next run.
			s.known.add(run)
		}
	}
	s.known.passed(events)
	return accepted, nil
}

// append notes what it is about to write, and writes it. It returns how many of the
// events are in the file as whole lines.
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
	s.tellOfRoom(noted)
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

// tellOfRoom logs whether there is room for notes, when that has changed.
func (s *Sink) tellOfRoom(noted bool) {
	switch {
	case s.unnoted == !noted:
		return
	case noted:
		s.log.Info("there is room again for the note of what is written: each event is written once")
	default:
		s.log.Warn("no room on the disk for the note of what is written: a crash now would have the last batch written twice", "position", s.opts.Position)
	}
	s.unnoted = !noted
}

// Reopen implements sink.Reopener. A batch that is under way ends in the file that
// it began in.
func (s *Sink) Reopen() {
	s.stale.Store(true)
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	if s.stale.Swap(false) {
		if err := s.target.leave(); err != nil {
			s.log.Error("cannot close the file of a sink", "path", s.opts.Path, "error", err)
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
