// SPDX-License-Identifier: Apache-2.0

package reception

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/genltestd/genltestd/daemon/echo"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/inbox"
	"github.com/genltestd/genltestd/daemon/receiver"
	"github.com/genltestd/genltestd/metrics"
)

// A member is everything that belongs to one family.
type member struct {
	Family   // mu of the Set protects Groups and BufferBytes
	inbox    *inbox.Inbox
	metrics  *metrics.Reception
	receiver *receiver.Receiver
	echo     *echo.Loop // nil without an echo command
}

// open opens the inbox and the socket of a family, and subscribes to it. If leaving is true,
// it does not subscribe: see receiver.Options.Leaving.
func (s *Set) open(f Family, leaving bool) (m *member, err error) {
	m = &member{Family: f}
	var fresh bool
	if m.inbox, fresh, err = inbox.Open(s.Inboxes.file(f.Target), genl.BatchBytes(f.Target)); err != nil {
		return nil, familyError(f.Family, err)
	}
	if err := m.inbox.Discarded; err != nil {
		s.State.Damaged(metrics.FileInbox, familyError(f.Family, err))
	}
	m.metrics = metrics.NewReception(s.Registry, metricsOf(f.Target))
	onAppear := func() {}
	if f.IsGenltest() && !leaving {
		m.echo = echo.New(s.echoConfig(), echo.Options{Prober: s.Prober, Metrics: m.metrics, Log: s.Log.With("component", "echo")})
		onAppear = m.echo.Appeared
	}
	m.receiver, err = receiver.New(receiver.Options{
		Target: f.Target, Kernel: s.Kernel, Journal: s.Journal, Inbox: m.inbox, FreshInbox: fresh, Leaving: leaving,
		Metrics: m.metrics, BufferBytes: f.BufferBytes, OnAppear: onAppear, OnChange: s.OnChange,
		Log: s.Log.With("component", "receiver"), Now: s.Now, Age: s.Age,
	})
	if err != nil {
		m.metrics.Unregister()
		return nil, errors.Join(familyError(f.Family, err), m.inbox.Close())
	}
	return m, nil
}

func (s *Set) echoConfig() echo.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.echoes
}

// A FamilyError is an error of one family.
type FamilyError struct {
	Family string
	Err    error
}

// Error does not name genltest, which is the only family of most daemons.
func (e *FamilyError) Error() string {
	if e.Family == genl.FamilyName {
		return e.Err.Error()
	}
	return fmt.Sprintf("family %s: %v", e.Family, e.Err)
}

// Unwrap returns the error without the family.
func (e *FamilyError) Unwrap() error { return e.Err }

func familyError(family string, err error) error { return &FamilyError{family, err} }

// metricsOf returns the labels of the metrics of a family.
func metricsOf(t genl.Target) metrics.ReceptionConfig {
	c := metrics.ReceptionConfig{Family: t.Family, Group: metrics.AllGroups, Groups: t.Groups, Echo: t.IsGenltest()}
	if t.IsGenltest() { // a reload can change the groups of the others
		c.Group = genl.GroupName
	}
	for _, v := range genl.Refusals() {
		c.Refusals = append(c.Refusals, v.String())
	}
	return c
}

// close closes a member that was not started.
func (m *member) close() error {
	m.metrics.Unregister()
	return errors.Join(m.receiver.Close(), m.inbox.Close())
}

// run receives until the context ends, or until the member has left its groups and its
// events are journaled.
func (m *member) run(ctx context.Context) error {
	probing, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	if m.echo != nil {
		wg.Go(func() { m.echo.Run(probing) })
	}
	return m.receiver.Run(ctx)
}

// remove removes everything that a member of a removed family has used. Its events are
// journaled.
func (s *Set) remove(m *member) error {
	m.metrics.Unregister()
	s.Kernel.Forget(m.Target)
	return errors.Join(m.inbox.Close(), s.removeInbox(m.Target))
}

// removeInbox removes the file of an inbox, if it exists: an unbacked inbox does not have one.
func (s *Set) removeInbox(t genl.Target) error {
	err := os.Remove(s.Inboxes.file(t))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
