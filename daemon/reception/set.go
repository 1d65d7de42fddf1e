// SPDX-License-Identifier: Apache-2.0

// Package reception receives the events of the configured families. Each family has a
// receiver, an inbox, a socket and metrics of its own.
package reception

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/echo"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/daemon/receiver"
	"github.com/genltestd/genltestd/daemon/teardown"
)

// A Family is a family whose events are received.
type Family struct {
	genl.Target
	BufferBytes int // requested size of the socket's receive buffer
}

// A Kernel opens the event sockets of all families.
type Kernel interface {
	receiver.Kernel
	// Forget removes the stored descriptors of a target, whose socket is closed.
	Forget(genl.Target)
	// ForgetUnclaimed removes the stored descriptors for which Open was not called.
	ForgetUnclaimed()
}

// StateFiles receives the results of access to state files. file is one of metrics.File*.
type StateFiles interface {
	// Set reports the result of an attempt to read or write the file.
	Set(file string, err error)
	// Damaged reports that the file was damaged.
	Damaged(file string, err error)
}

// Options are the dependencies of a Set. Each is required, except Now and Age.
type Options struct {
	Kernel   Kernel
	Journal  receiver.Journal // of all families; its methods are called concurrently
	Inboxes  Inboxes
	Registry prometheus.Registerer
	State    StateFiles
	Log      *slog.Logger

	// The health checks of genltest. Prober is used again after Close.
	Echo   echo.Config
	Prober echo.Prober

	OnChange func() // called within a second of an event or a change; must not block

	// Now returns the time of receipt, and Age the time since then. If they are nil, the
	// receivers use the machine's clock.
	Now func() time.Time
	Age func(time.Time) time.Duration
}

// A Set receives the events of the configured families. Its getters may be called at any
// time. Plan, the methods of a Plan and Wait must be called by one goroutine.
type Set struct {
	Options
	repeats *ratelog.Logger // for lines that may repeat
	running sync.WaitGroup
	ctx     context.Context // of the receivers; nil before Start
	fail    func(error)

	mu       sync.Mutex
	echoes   echo.Config
	families []*member // in the order of the configuration
	leaving  []*member // removed families whose events are not all journaled
}

// Open subscribes to the families. From then on their events wait in the sockets. Families
// that are not configured any more leave their groups; their sockets and inboxes are removed
// when the events in them are journaled. After an error nothing is left open.
func Open(families []Family, o Options) (*Set, error) {
	s := &Set{Options: o, repeats: ratelog.New(o.Log), echoes: o.Echo}
	for _, f := range families {
		m, err := s.open(f, false)
		if err != nil {
			return nil, errors.Join(err, s.Abandon())
		}
		s.families = append(s.families, m)
	}
	if err := s.openLeftovers(); err != nil {
		return nil, errors.Join(err, s.Abandon())
	}
	s.Kernel.ForgetUnclaimed()
	s.reportInboxes()
	s.warnOfDisk()
	return s, nil
}

// Start starts the receivers. They stop when the context ends. fail is called with the error
// of a receiver that cannot continue.
func (s *Set) Start(ctx context.Context, fail func(error)) {
	s.ctx, s.fail = ctx, fail
	for _, m := range s.receiving() {
		s.start(m)
	}
}

func (s *Set) start(m *member) {
	s.running.Go(func() {
		if err := m.run(s.ctx); err != nil {
			s.fail(err)
		}
		s.left(m)
	})
}

// Wait waits until all receivers have stopped, after the context has ended.
func (s *Set) Wait() { s.running.Wait() }

// Close closes the inboxes. Call it after Wait, and after the journal was closed: until then
// a batch in an inbox may not be journaled.
func (s *Set) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, m := range slices.Concat(s.families, s.leaving) {
		errs = append(errs, m.inbox.Close())
	}
	return errors.Join(errs...)
}

// Abandon closes a Set that was not started.
func (s *Set) Abandon() error {
	var undo teardown.Stack
	for _, m := range s.receiving() {
		undo.Push(m.close)
	}
	return undo.Run()
}

// all returns the members of the configured families, in the order of the configuration.
func (s *Set) all() []*member {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.families
}

// of returns the member of a family, or nil.
func (s *Set) of(family string) *member {
	for _, m := range s.all() {
		if m.Family.Family == family {
			return m
		}
	}
	return nil
}
