// SPDX-License-Identifier: Apache-2.0

// Package notifysocket is a socket like that of systemd's NOTIFY_SOCKET, for tests.
package notifysocket

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	limit      = time.Minute // only ends a test that would hang
	maxMessage = 64 << 10
)

// A Socket receives the messages of one daemon. It is not safe for concurrent use.
type Socket struct {
	*net.UnixConn
	Path string
}

// Listen opens a socket until the test ends.
func Listen(t testing.TB) *Socket {
	t.Helper()
	return ListenAt(t, filepath.Join(t.TempDir(), "notify"))
}

// ListenAt is Listen with the path of the socket.
func ListenAt(t testing.TB, path string) *Socket {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &Socket{conn, path}
}

// Send sends a message to the socket, as the daemon does.
func (s *Socket) Send(t testing.TB, message string) {
	t.Helper()
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.Path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(message)); err != nil {
		t.Fatal(err)
	}
}

// Receive waits for the next message.
func (s *Socket) Receive(t testing.TB) string {
	t.Helper()
	message, err := s.next(time.Now().Add(limit))
	if err != nil {
		t.Fatalf("receive a notification: %v", err)
	}
	return message
}

// Await waits for a message, and skips the messages before it.
func (s *Socket) Await(t testing.TB, message string) {
	t.Helper()
	for s.Receive(t) != message {
	}
}

// Queued returns the messages that have arrived, without waiting.
func (s *Socket) Queued(t testing.TB) (messages []string) {
	t.Helper()
	raw, err := s.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, maxMessage)
	err = raw.Control(func(fd uintptr) { // not Read, which fails after a deadline although messages are queued
		for {
			n, _, err := unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT)
			if err != nil {
				return
			}
			messages = append(messages, string(buf[:n]))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

// CopyTo passes each message to write, until the test ends.
func (s *Socket) CopyTo(write func(message string)) {
	for {
		message, err := s.next(time.Time{})
		if err != nil {
			return
		}
		write(message)
	}
}

// next waits for a message, until the deadline unless that is zero.
func (s *Socket) next(deadline time.Time) (string, error) {
	if err := s.SetReadDeadline(deadline); err != nil {
		return "", err
	}
	buf := make([]byte, maxMessage)
	n, err := s.Read(buf)
	return string(buf[:n]), err
}
