// SPDX-License-Identifier: Apache-2.0

// Package file is the sink that appends events as JSON lines to a file.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/lines"
)

var _ sink.Sink = (*Sink)(nil)

// Options say where and how to write.
type Options struct {
	Path    string
	Mode    fs.FileMode // of a file that is created
	Encoder event.Encoder
	Fsync   bool // fsync after each batch, before it counts as taken
}

// A Sink appends to one file. It follows the path: when the file was moved away
// or removed (logrotate, an operator), the next batch goes to a new one.
type Sink struct {
	opts  Options
	file  *os.File
	lines *lines.Writer
}

// New opens the file, and creates it if it is missing; its directory must exist.
func New(opts Options) (*Sink, error) {
	s := &Sink{opts: opts, lines: lines.NewWriter(opts.Encoder)}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

// open leaves s.file nil when it fails.
func (s *Sink) open() error {
	// O_NONBLOCK so that a FIFO without a reader is refused, and not waited for.
	f, err := os.OpenFile(s.opts.Path, os.O_RDWR|os.O_CREATE|os.O_APPEND|syscall.O_NONBLOCK, s.opts.Mode)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: s.opts.Path, Err: errors.New("not a regular file")}
	}
	if err == nil {
		err = endLastLine(f, info.Size())
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s.file = f
	s.lines.Reset()
	return nil
}

// endLastLine ends a line that an earlier process could not finish, so that the
// next event has a line of its own.
func endLastLine(f *os.File, size int64) error {
	if size == 0 {
		return nil
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], size-1); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if last[0] == '\n' {
		return nil
	}
	_, err := f.WriteString("\n")
	return err
}

// Deliver implements sink.Sink.
func (s *Sink) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := s.follow(); err != nil {
		return 0, err
	}
	n, err := s.lines.Write(s.file, events)
	if err != nil {
		err = fmt.Errorf("append: %w", err)
	}
	if s.opts.Fsync && n > 0 {
		if serr := s.file.Sync(); serr != nil {
			// The kernel forgets which pages it failed to write: nothing of this batch
			// counts as taken, and it is written once more, with the same ids.
			s.lines.Reset()
			return 0, errors.Join(err, fmt.Errorf("fsync: %w", serr), s.reopenLater())
		}
	}
	return n, err
}

// follow reopens the file when the path no longer leads to it.
func (s *Sink) follow() error {
	if s.file != nil {
		open, err := s.file.Stat()
		if err != nil {
			return err
		}
		named, err := os.Stat(s.opts.Path)
		if err == nil && os.SameFile(open, named) {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := s.reopenLater(); err != nil {
			return err
		}
	}
	return s.open()
}

func (s *Sink) reopenLater() error {
	f := s.file
	s.file = nil
	return f.Close()
}

// Close implements sink.Sink.
func (s *Sink) Close() error {
	if s.file == nil {
		return nil
	}
	return s.reopenLater()
}
