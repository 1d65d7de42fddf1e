// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// socketWithoutReader returns a local datagram socket without a reader.
func socketWithoutReader(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// The kernel empties the queue of a receiver that closes, as if it had been read.
func TestReceiverThatClosesWithoutReadingAcceptsNothing(t *testing.T) {
	for name, then := range map[string]func(t *testing.T, path string){
		"closed":          func(*testing.T, string) {},
		"file is removed": func(_ *testing.T, path string) { os.Remove(path) }, // equivalent to a closed receiver
		"restarted": func(t *testing.T, path string) {
			os.Remove(path) // the next line would fail
			socketWithoutReader(t, path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			receiver := socketWithoutReader(t, path)
			s := newSink(configFor("unixgram", path))
			defer s.Close()
			var closing sync.WaitGroup
			closing.Go(func() {
				awaitDatagram(receiver)
				receiver.Close()
				then(t, path)
			})
			defer closing.Wait() // Deliver may be the first to return
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			n, err := s.Deliver(ctx, sinktest.Events(1, 3))
			if n != 0 || err == nil || ctx.Err() != nil {
				t.Errorf("accepted %d unread events, %v", n, err)
			}
		})
	}
}

// awaitDatagram waits until a datagram is in the receiver's queue.
func awaitDatagram(receiver *net.UnixConn) {
	raw, err := receiver.SyscallConn()
	for waiting := 0; waiting == 0 && err == nil; time.Sleep(time.Millisecond) {
		_ = raw.Control(func(fd uintptr) { waiting, err = unix.IoctlGetInt(int(fd), unix.SIOCINQ) }) // err has the cause
	}
}

func TestSinkWaitsForTheReceiverUntilTheAttemptEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	socketWithoutReader(t, path)
	s := newSink(configFor("unixgram", path))
	defer s.Close()
	for _, events := range []int{1, 3000} { // with room in its queue, and without
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		n, err := s.Deliver(ctx, sinktest.Events(1, events))
		cancel()
		if n != 0 || !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d events: accepted %d, %v", events, n, err)
		}
	}
}

func TestPortWithoutListenerAcceptsNothing(t *testing.T) {
	s := newSink(configFor("udp", sinktest.FreeAddress(t)))
	defer s.Close()
	for range 3 {
		if n, err := s.Deliver(t.Context(), sinktest.Events(1, 5)); n != 0 || !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("accepted %d events, %v", n, err)
		}
	}
}
