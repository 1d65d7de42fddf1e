// SPDX-License-Identifier: Apache-2.0

// Package fdstore is a store of descriptors like that of systemd, for tests.
package fdstore

import (
	"os"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A Store contains duplicates of descriptors. It is not safe for concurrent use.
type Store struct {
	Calls []string   // of the methods, such as "forget events"
	Files []*os.File // in the order in which they were stored
	t     testing.TB
}

// New returns an empty store.
func New(t testing.TB) *Store { return &Store{t: t} }

// Store implements kernel.Store.
func (s *Store) Store(name string, c syscall.Conn) error {
	s.Calls = append(s.Calls, "store "+name)
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) {
		duplicate, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			s.t.Error(err)
			return
		}
		f := os.NewFile(uintptr(duplicate), name)
		s.t.Cleanup(func() { f.Close() })
		s.Files = append(s.Files, f)
	})
}

// Forget implements kernel.Store. It does not close the duplicates: a test may use them as
// those of the next process.
func (s *Store) Forget(name string) {
	s.Calls = append(s.Calls, "forget "+name)
	s.Files = slices.DeleteFunc(s.Files, func(f *os.File) bool { return f.Name() == name })
}

// Names returns the names of the stored descriptors, in order.
func (s *Store) Names() (names []string) {
	for _, f := range s.Files {
		names = append(names, f.Name())
	}
	slices.Sort(names)
	return names
}
