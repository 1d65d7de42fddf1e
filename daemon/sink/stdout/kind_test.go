// SPDX-License-Identifier: Apache-2.0

package stdout

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// A destination is a FIFO and its reader, which may disconnect and return.
type destination struct {
	path   string
	reader *os.File // nil when closed
	fd     int      // of reader
	done   chan struct{}

	mu   sync.Mutex // held while it hangs
	text []byte
}

func (p *destination) open(t *testing.T) {
	t.Helper()
	var err error
	if p.fd, err = unix.Open(p.path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	p.reader = os.NewFile(uintptr(p.fd), p.path)
	p.done = make(chan struct{})
	go p.read(p.reader, p.done)
}

func (p *destination) read(from *os.File, done chan<- struct{}) {
	defer close(done)
	buf := make([]byte, 1<<16)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		p.text = append(p.text, buf[:n]...)
		p.mu.Unlock()
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil { // no writer yet
			time.Sleep(time.Millisecond)
		}
	}
}

func (p *destination) Stored(t *testing.T) (stored []sinktest.StoredEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for line := range bytes.Lines(p.text) {
		if bytes.HasSuffix(line, []byte{'\n'}) {
			stored = append(stored, sinktest.ParseJSON(t, line))
		}
	}
	return stored
}

// Break closes the reader after it has read all data.
func (p *destination) Break(t *testing.T) {
	for {
		n, err := unix.IoctlGetInt(p.fd, unix.TIOCINQ) // FIONREAD
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	p.close(t)
}

func (p *destination) close(t *testing.T) {
	if err := p.reader.Close(); err != nil {
		t.Error(err)
	}
	<-p.done
	p.reader = nil
}

func (p *destination) Hang(*testing.T) { p.mu.Lock() }

func (p *destination) Repair(t *testing.T) {
	if p.reader == nil {
		p.open(t)
		return
	}
	p.mu.Unlock()
}

// writer opens the FIFO in blocking mode, like the standard output of a process.
func (p *destination) writer(t *testing.T) *os.File {
	t.Helper()
	fd, err := unix.Open(p.path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), p.path)
}

func newDestination(t *testing.T) (*Sink, *destination) {
	p := &destination{path: filepath.Join(t.TempDir(), "fifo")}
	if err := unix.Mkfifo(p.path, 0o600); err != nil {
		t.Fatal(err)
	}
	p.open(t)
	t.Cleanup(func() {
		if p.reader != nil {
			p.close(t)
		}
	})
	out := p.writer(t)
	t.Cleanup(func() { out.Close() })
	return New(out, event.JSON{}), p
}

func TestKind(t *testing.T) {
	sinktest.Run(t, sinktest.Kind{Once: true, New: func(t *testing.T) (sink.Sink, sinktest.Destination) { return newDestination(t) }})
}
