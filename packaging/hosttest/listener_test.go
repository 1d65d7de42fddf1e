// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"encoding/binary"
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/mdlayher/genetlink"
	"golang.org/x/sys/unix"
)

const (
	listenerBuffer = 512 << 20 // bytes: more than the events of one test need
	headerLen      = unix.NLMSG_HDRLEN
)

// familyOf returns a family of the running kernel. It skips the test without it.
func familyOf(t *testing.T, name string) genetlink.Family {
	t.Helper()
	conn, err := genetlink.Dial(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	family, err := conn.GetFamily(name)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("the kernel does not have the family %s", name)
	} else if err != nil {
		t.Fatal(err)
	}
	return family
}

// A listener receives each message that a family multicasts. It is independent of the
// daemon's code, and safe for concurrent use.
type listener struct {
	fd     int
	family genetlink.Family

	mu       sync.Mutex
	messages [][]byte // that the family has multicast, from struct genlmsghdr on
}

// listen joins all groups of a family, until the test ends.
func listen(t *testing.T, name string) *listener {
	t.Helper()
	l := &listener{family: familyOf(t, name)}
	var err error
	l.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(
		unix.SetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, listenerBuffer),
		unix.SetsockoptTimeval(l.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}),
		unix.Bind(l.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	for _, group := range l.family.Groups {
		err = errors.Join(err, unix.SetsockoptInt(l.fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, int(group.ID)))
	}
	if err != nil {
		t.Fatal(err)
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		l.receive(t, done)
	}()
	t.Cleanup(func() {
		close(done)
		<-ended
		unix.Close(l.fd)
	})
	return l
}

// receive reads messages until done is closed. An overrun ends the test: recvfrom(2)
// returns ENOBUFS after it.
func (l *listener) receive(t *testing.T, done <-chan struct{}) {
	buf := make([]byte, 64<<10)
	for {
		select {
		case <-done:
			return
		default:
		}
		n, _, err := unix.Recvfrom(l.fd, buf, 0)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case err != nil || n < headerLen:
			t.Errorf("listener of %s: %d bytes, %v", l.family.Name, n, err)
			return
		}
		if binary.NativeEndian.Uint16(buf[4:]) != l.family.ID {
			continue // another family with a freed group number
		}
		l.mu.Lock()
		l.messages = append(l.messages, append([]byte(nil), buf[headerLen:n]...))
		l.mu.Unlock()
	}
}

// multicast returns the messages up to now.
func (l *listener) multicast() [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.messages[:len(l.messages):len(l.messages)]
}

func (l *listener) count() int { return len(l.multicast()) }
