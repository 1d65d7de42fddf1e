// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/metrics"
)

// module answers probes as a test says.
type module struct {
	mu     sync.Mutex
	err    error
	hang   chan struct{} // not nil: probes hang until it is closed, whatever their context says
	probes int
}

func (m *module) Probe(context.Context) (string, error) {
	m.mu.Lock()
	m.probes++
	err, hang := m.err, m.hang
	m.mu.Unlock()
	if hang != nil {
		<-hang
	}
	return "Hello", err
}

func (m *module) Close() error { return nil }

func (m *module) set(err error, hang chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err, m.hang = err, hang
}

func (m *module) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.probes
}

func everyDay() config.Echo {
	return config.Echo{Interval: config.Duration(24 * time.Hour), Timeout: config.Duration(time.Second)}
}

// echoing runs an echo loop until the test ends.
func echoing(t *testing.T, m *module, cfg config.Echo) *echoLoop {
	t.Helper()
	e := newEchoLoop(m, cfg, metrics.New(prometheus.NewRegistry(), "test", nil), slog.New(slog.DiscardHandler))
	if err := e.fault(time.Now()); !errors.Is(err, errUnprobed) {
		t.Errorf("before the first probe: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); e.run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	synctest.Wait()
	return e
}

func (e *echoLoop) want(t *testing.T, part string) {
	t.Helper()
	synctest.Wait()
	err := e.fault(time.Now())
	if part == "" && err != nil || part != "" && (err == nil || !strings.Contains(err.Error(), part)) {
		t.Errorf("fault %v, want %q", err, part)
	}
}

// TestAFamilyThatAppearsIsProbedAtOnce: not up to a day later. Until the probe has ended
// nothing is known of the new load of the module.
func TestAFamilyThatAppearsIsProbedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &module{err: os.ErrNotExist}
		e := echoing(t, m, everyDay())
		e.want(t, "not exist")
		hang := make(chan struct{})
		m.set(nil, hang)
		e.appeared()
		e.want(t, errUnprobed.Error())
		close(hang)
		e.want(t, "")
		if n := m.count(); n != 2 {
			t.Errorf("%d probes", n)
		}
	})
}

func TestTheFirstProbeOfALoadIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &module{}
		e := newEchoLoop(m, everyDay(), metrics.New(prometheus.NewRegistry(), "test", nil), slog.New(slog.DiscardHandler))
		e.appeared() // before it runs, as at the start of the daemon
		ctx, cancel := context.WithCancel(t.Context())
		go e.run(ctx)
		synctest.Wait()
		if n := m.count(); n != 1 {
			t.Errorf("%d probes", n)
		}
		cancel()
	})
}

func TestAProbeThatHangsIsNotAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &module{}
		e := echoing(t, m, config.Echo{Interval: config.Duration(30 * time.Second), Timeout: config.Duration(5 * time.Second)})
		e.want(t, "")
		hang := make(chan struct{})
		m.set(nil, hang)
		time.Sleep(30 * time.Second)
		e.want(t, "")
		time.Sleep(30 * time.Second)
		e.want(t, "no health check has ended for 1m0s, though one is due every 30s")
		close(hang)
		m.set(nil, nil)
		time.Sleep(time.Minute)
		e.want(t, "")
	})
}

func TestAFailureIsNotBelievedForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &module{err: os.ErrDeadlineExceeded}
		e := echoing(t, m, everyDay())
		e.want(t, "timeout")
		m.set(nil, nil)
		time.Sleep(2 * echoRetry)
		e.want(t, "")
	})
}

func TestProbesThatAreSwitchedOffAreNoFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &module{err: errors.New("no")}
		e := echoing(t, m, everyDay())
		e.want(t, "no")
		e.configure(config.Echo{})
		e.want(t, "")
		probes := m.count()
		time.Sleep(48 * time.Hour)
		if m.count() != probes {
			t.Error("it probes")
		}
		m.set(nil, nil)
		e.configure(everyDay())
		e.want(t, "")
	})
}
