// SPDX-License-Identifier: Apache-2.0

package reception

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/genltestd/genltestd/daemon/echo"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/receiver"
	"github.com/genltestd/genltestd/metrics"
)

// A State is the present state of one family.
type State struct {
	Family string
	Groups []string // the configured groups; nil for all groups of the family
	ID     uint16   // of the family while its events can arrive, else 0
	Absent bool     // the family is not registered
	Fault  error    // why not all events can arrive, although the family is registered
	Echo   error    // why the module is not known to answer
	Echoed bool     // the module is asked for echoes
	// Stuck is how long the receiver has been busy with one batch or one check of its socket.
	Stuck time.Duration
}

// Reason returns the kind of the fault: one of metrics.FamilyReasons, or empty without one.
func (s *State) Reason() string {
	switch {
	case s.Absent:
		return metrics.FamilyAbsent
	case errors.As(s.Fault, new(receiver.GroupError)):
		return metrics.FamilyGroups
	case errors.Is(s.Fault, fs.ErrPermission):
		return metrics.FamilyPermission
	case s.Fault != nil:
		return metrics.FamilySocket
	case s.Echo != nil:
		return metrics.FamilyEcho
	}
	return ""
}

// States returns the states of the configured families, in the order of the configuration.
func (s *Set) States() (list []State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.families {
		list = append(list, m.state())
	}
	return list
}

// A Counted is a State with the values of the metrics.
type Counted struct {
	State
	metrics.ReceptionState
}

// Counted returns the states of the configured families with their counters, in the order of
// the configuration.
func (s *Set) Counted() (list []Counted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.families {
		list = append(list, Counted{m.state(), m.metrics.State()})
	}
	return list
}

// state returns the state of the family. The caller holds mu of the set.
func (m *member) state() State {
	st := State{Family: m.Family.Family, Groups: m.Groups, ID: m.receiver.SubscribedTo(), Fault: m.receiver.Fault(), Stuck: m.receiver.Stuck()}
	st.Absent = errors.As(st.Fault, new(genl.AbsentError))
	if m.echo != nil {
		st.Echo, st.Echoed = m.echo.Fault(time.Now()), m.echo.Config().Interval > 0
	}
	return st
}

// ConfigureEcho changes the health checks of genltest.
func (s *Set) ConfigureEcho(c echo.Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.echoes = c
	for _, m := range s.families {
		if m.echo != nil {
			m.echo.Configure(c)
		}
	}
}

// receiving returns the members whose receivers run: also those that are leaving.
func (s *Set) receiving() []*member {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Concat(s.families, s.leaving)
}

// Received returns the number of events that the configured families have received.
func (s *Set) Received() (sum uint64) {
	for _, m := range s.all() {
		sum += m.receiver.Received()
	}
	return sum
}

// Blocked returns why the journal does not accept events, or nil if it does.
func (s *Set) Blocked() error {
	for _, m := range s.receiving() {
		if err := m.receiver.Blocked(); err != nil {
			return err
		}
	}
	return nil
}

// CountDrops updates the counters that the kernel maintains.
func (s *Set) CountDrops() error {
	var errs []error
	for _, m := range s.receiving() {
		if err := m.receiver.CountDrops(); err != nil {
			errs = append(errs, familyError(m.Family.Family, err))
		}
	}
	return errors.Join(errs...)
}
