// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

func deliver(t *testing.T, l *Listener, first, n int) {
	t.Helper()
	if got, err := l.Deliver(t.Context(), sinktest.Events(first, n)); got != n || err != nil {
		t.Fatalf("accepted %d of %d events: %v", got, n, err)
	}
}

// readEvents reads lines up to the event last, which is the last line of every reader. It
// returns the number of events, and the number of missed events that were reported. It
// parses only as much of a line as it needs, because it reads many.
func readEvents(in io.Reader, last int) (got, missed int, err error) {
	next := 1
	for lines := bufio.NewScanner(in); lines.Scan(); {
		number, isEvent := strings.CutPrefix(lines.Text(), `{"id":"6a9155caa46c7dcc-`)
		number = strings.TrimPrefix(number, `{"kind":"missed","count":`)
		n, err := strconv.Atoi(number[:strings.IndexAny(number+"}", `"}`)])
		switch {
		case err != nil:
			return got, missed, fmt.Errorf("%w: %q", err, lines.Text())
		case !isEvent:
			missed, next = missed+n, next+n
		case n != next:
			return got, missed, fmt.Errorf("got event %d, want %d", n, next)
		default:
			got, next = got+1, next+1
		}
		if next > last {
			return got, missed, nil
		}
	}
	return got, missed, io.ErrUnexpectedEOF
}

func TestBlockedReaderDoesNotAffectTheOthers(t *testing.T) {
	const events, batch, buffer = 100_000, 256, 1 << 20
	l := newListener(t, buffer)
	stuck := dial(t, l)
	results := make(chan error, 3)
	// Progress of the fast readers: the test waits for them, so that they miss no event.
	progress := make(chan int, 3*events/batch+3)
	for range 3 {
		conn := dial(t, l)
		go func() {
			in := &progressReader{in: conn, progress: progress}
			got, missed, err := readEvents(in, events)
			if err == nil && got != events {
				err = fmt.Errorf("a fast reader received %d events and missed %d", got, missed)
			}
			results <- err
		}()
	}
	poll.Until(t, "all readers are connected", func() bool { return l.Stats().Readers == 4 })
	warm := uint64(0)
	for first := 1; first <= events; first += batch {
		n := min(batch, events-first+1)
		deliver(t, l, first, n)
		for range 3 {
			if <-progress < 0 {
				t.Fatal(<-results)
			}
		}
		if first/batch == 100 { // all buffers have their size
			warm = heap()
		}
	}
	if now := heap(); now > warm+buffer {
		t.Errorf("the heap grew from %d to %d bytes", warm, now)
	}
	for range 3 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	got, missed, err := readEvents(stuck, events)
	if err != nil || got+missed != events || missed == 0 || uint64(missed) != l.Stats().Missed {
		t.Errorf("the slow reader received %d events and a report of %d missed events, %v; counted %d", got, missed, err, l.Stats().Missed)
	}
}

// progressReader reports each batch that was read.
type progressReader struct {
	in       io.Reader
	progress chan<- int
	lines    int
}

func (c *progressReader) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	before := c.lines
	c.lines += bytes.Count(p[:n], []byte("\n"))
	for i := before/256 + 1; i <= c.lines/256; i++ {
		c.progress <- i
	}
	if c.lines == 100_000 {
		c.progress <- c.lines // the last batch is a short one
	}
	if err != nil {
		c.progress <- -1
	}
	return n, err
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestEventsAreAcceptedWithoutReaders(t *testing.T) {
	l := newListener(t, 1<<20)
	deliver(t, l, 1, 100)
	o := startReader(t, l)
	deliver(t, l, 101, 1)
	poll.Until(t, "the event arrives", func() bool { return len(o.Stored(t)) == 1 })
	if got := o.Stored(t)[0].ID; !strings.HasSuffix(got, "-101") {
		t.Errorf("got %s", got)
	}
}

func TestDisconnectedReadersAreRemovedWithoutAnEvent(t *testing.T) {
	l := newListener(t, 1<<20)
	conns := make([]*net.UnixConn, 5)
	for i := range conns {
		conns[i] = dial(t, l)
	}
	poll.Until(t, "all readers are connected", func() bool { return l.Stats().Readers == 5 })
	_ = conns[0].CloseWrite() // a step on the way
	for _, conn := range conns {
		conn.Close()
	}
	poll.Until(t, "disconnected readers are removed", func() bool { return l.Stats().Readers == 0 })
}

func TestReaderThatClosesItsSendingSideStaysConnected(t *testing.T) {
	l := newListener(t, 1<<20)
	o := startReader(t, l)
	_ = o.conn.(*net.UnixConn).CloseWrite() // nothing is sent
	for first := 1; first < 100; first++ {
		deliver(t, l, first, 1)
	}
	poll.Until(t, "the events arrive", func() bool { return len(o.Stored(t)) == 99 })
}

func TestDataFromReadersIsNotReceived(t *testing.T) {
	l := newListener(t, 1<<20)
	o := startReader(t, l)
	garbage := bytes.Repeat([]byte("garbage\n"), 1<<10)
	var err error
	for sent := 0; sent < 64<<20 && err == nil; sent += len(garbage) {
		_, err = o.conn.Write(garbage)
	}
	if err == nil {
		t.Error("a reader can send 64 MiB")
	}
	deliver(t, l, 1, 10)
	poll.Until(t, "the events arrive", func() bool { return len(o.Stored(t)) == 10 })
}

func TestNumberOfReadersIsLimited(t *testing.T) {
	l := newListener(t, 1<<20)
	for range 8 {
		dial(t, l)
	}
	poll.Until(t, "all readers are connected", func() bool { return l.Stats().Readers == 8 })
	if _, err := dial(t, l).Read(make([]byte, 1)); err == nil {
		t.Error("one more reader was admitted")
	}
	if s := l.Stats(); s.Refused != 1 || s.Readers != 8 || s.Served != 8 {
		t.Errorf("%+v", s)
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	l := newListener(t, 1<<16)
	dial(t, l)
	disconnected := dial(t, l)
	_ = startReader(t, l).conn.(*net.UnixConn).CloseWrite() // a step on the way
	poll.Until(t, "all readers are connected", func() bool { return l.Stats().Readers == 3 })
	for first := 1; first < 10_000; first += 100 {
		deliver(t, l, first, 100) // until the reader that does not read blocks its writer
	}
	disconnected.Close()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var stacks bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&stacks, 2) // to memory
	for _, method := range []string{"socket.(*Listener)", "socket.(*reader)"} {
		if strings.Contains(stacks.String(), method) {
			t.Errorf("a goroutine is left:\n%s", stacks.String())
		}
	}
}
