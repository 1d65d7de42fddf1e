// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"sync"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/lines"
)

var _ sink.Sink = (*Listener)(nil)

// Stats are the counters of a listener.
type Stats struct {
	Readers int    // connected now
	Served  uint64 // accepted readers
	Refused uint64 // connections closed at once, because max_readers were connected
	Missed  uint64 // events that a reader missed, counted for each such reader
}

// A Listener has a unix socket and writes each event to every client that is connected to
// it. An event counts as accepted when it is in the buffer of every reader that keeps up,
// also without a reader: a listener is for watching events, not for storing them.
//
// A reader that does not keep up misses events, but does not slow the others. It receives
// a line {"kind":"missed","count":N} in place of the missed events. Data from readers is
// not read.
type Listener struct {
	config *Listen
	path   string
	lines  *lines.Writer
	batch  bytes.Buffer

	mu      sync.Mutex
	readers map[*reader]bool
	stats   Stats // except Readers
	open    *net.UnixListener
	file    fs.FileInfo // of the socket, so that no other file is removed
	closed  bool
	running sync.WaitGroup
}

// NewListener listens at once if possible; otherwise the next Deliver returns the error,
// and retries.
func NewListener(c *Config, env sink.Env) *Listener {
	l := &Listener{config: &c.Listen, path: c.Address.SocketPath(), lines: lines.NewWriter(env.Encoder), readers: make(map[*reader]bool)}
	_ = l.listen() // Deliver retries and returns the error
	return l
}

// listen creates the socket if it does not exist any more.
func (l *Listener) listen() error {
	if l.open != nil && isSocket(l.path, l.file) {
		return nil
	}
	l.unlisten()
	open, file, err := listenAt(l.path, fs.FileMode(l.config.Permissions), l.config.Group)
	if err != nil {
		return fmt.Errorf("listen at %s: %w", l.path, err)
	}
	l.open, l.file = open, file
	l.running.Go(func() { l.accept(open) })
	return nil
}

// unlisten ends accept, and removes the socket if it still belongs to this listener.
func (l *Listener) unlisten() {
	if l.open == nil {
		return
	}
	removeSocket(l.path, l.file)
	l.open.Close() // it is ended in any case
	l.open = nil
}

// accept ends when the listener is closed.
func (l *Listener) accept(from *net.UnixListener) {
	for {
		conn, err := from.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // for example, all descriptors are in use
			pauseAccepting()
			continue
		}
		l.admit(conn)
	}
}

func (l *Listener) admit(conn *net.UnixConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.readers) >= l.config.MaxReaders {
		l.stats.Refused++
		conn.Close() // nothing was written
		return
	}
	r := newReader(conn, int(l.config.Buffer))
	l.readers[r] = true
	l.stats.Served++
	l.running.Go(r.watch)
	l.running.Go(func() {
		r.write()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.readers, r)
	})
}

// Deliver implements sink.Sink.
func (l *Listener) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := l.listen(); err != nil {
		return 0, err
	}
	l.batch.Reset()
	n, err := l.lines.Write(&l.batch, events)
	l.broadcast(l.batch.Bytes())
	return n, err
}

func (l *Listener) broadcast(text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for r := range l.readers {
		l.stats.Missed += r.put(text)
	}
}

var _ sink.Broadcaster = (*Listener)(nil)

// Missed implements sink.Broadcaster.
func (l *Listener) Missed() uint64 { return l.Stats().Missed }

// Stats may be called at any time, from any goroutine.
func (l *Listener) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Readers = len(l.readers)
	return s
}

// Close implements sink.Sink. Data that waits for readers is discarded.
func (l *Listener) Close() error {
	l.unlisten()
	l.mu.Lock()
	l.closed = true
	for r := range l.readers {
		r.end()
	}
	l.mu.Unlock()
	l.running.Wait()
	return nil
}
