// SPDX-License-Identifier: Apache-2.0

package udp

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// A receiver collects datagrams at an address.
type receiver struct {
	address string
	sink    *sinktest.Counter

	mu    sync.Mutex
	conn  net.PacketConn
	texts [][]byte
}

func (r *receiver) Repair(t *testing.T) {
	t.Helper()
	conn, err := net.ListenPacket("udp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := conn.(*net.UDPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	// A datagram without room in the buffer would be lost. Without the right to force the
	// size, the default must suffice.
	_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20) })
	r.conn = conn
	go func() {
		for buf := make([]byte, 1<<16); ; {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			r.mu.Lock()
			r.texts = append(r.texts, append([]byte(nil), buf[:n]...))
			r.mu.Unlock()
		}
	}()
}

// Break closes the socket when the receiver has read all datagrams: the others would be lost.
func (r *receiver) Break(t *testing.T) {
	t.Helper()
	r.sink.AwaitStored(t, r)
	if err := r.conn.Close(); err != nil {
		t.Fatal(err)
	}
}

func (r *receiver) Stored(t *testing.T) (all []sinktest.StoredEvent) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range r.texts {
		all = append(all, sinktest.ParseJSON(t, text))
	}
	return all
}

func newUDP(address string, limit value.Size) *Sink {
	return newSink(&Config{Address: value.Address("udp://" + address), MaxMessage: limit}, event.JSON{})
}

// The receive buffer on loopback is larger than a batch, so that no datagram is lost.
func TestKind(t *testing.T) {
	sinktest.Run(t, sinktest.Kind{Hostile: 3000, New: func(t *testing.T) (sink.Sink, sinktest.Destination) {
		r := &receiver{address: sinktest.FreeAddress(t)}
		r.Repair(t)
		r.sink = &sinktest.Counter{Sink: newUDP(r.address, 65507)}
		t.Cleanup(func() { r.sink.Close(); r.conn.Close() })
		return r.sink, r
	}})
}

func TestLargeEventIsAPermanentError(t *testing.T) {
	s := newUDP(sinktest.FreeAddress(t), 512)
	defer s.Close()
	events := sinktest.Events(1, 2)
	events[1].Message = []byte(strings.Repeat("x", 600))
	n, err := s.Deliver(t.Context(), events)
	if n != 1 || sink.Poisoned(err) != 1 || sink.RefusalOf(err).Kind != sink.RefusedTooLarge ||
		!strings.Contains(err.Error(), "max_message") {
		t.Errorf("accepted %d events: %v", n, err)
	}
}

func TestPortWithoutListenerAcceptsNothing(t *testing.T) {
	s := newUDP(sinktest.FreeAddress(t), 8192)
	defer s.Close()
	for range 3 {
		if n, err := s.Deliver(t.Context(), sinktest.Events(1, 5)); n != 0 || !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("accepted %d events, %v", n, err)
		}
	}
}
