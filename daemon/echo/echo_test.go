// SPDX-License-Identifier: Apache-2.0

package echo

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

	"github.com/genltestd/genltestd/metrics"
)

// module answers probes with err.
type module struct {
	mu     sync.Mutex
	err    error
	hang   chan struct{} // if not nil, probes wait until it is closed and ignore their context
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

func everyDay() Config {
	return Config{Interval: 24 * time.Hour, Timeout: time.Second}
}

func newLoop(m *module, cfg Config) *Loop {
	reception := metrics.NewReception(prometheus.NewRegistry(), metrics.ReceptionConfig{Family: "genltest", Group: "mcgrp", Echo: true})
	return New(cfg, Options{Prober: m, Metrics: reception, Log: slog.New(slog.DiscardHandler)})
}

// echoing runs an echo loop until the test ends.
func echoing(t *testing.T, m *module, cfg Config) *Loop {
	t.Helper()
	e := newLoop(m, cfg)
	if err := e.Fault(time.Now()); !errors.Is(err, ErrUnprobed) {
		t.Errorf("before the first probe: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); e.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	synctest.Wait()
	return e
}

func (e *Loop) want(t *testing.T, part string) {
	t.Helper()
	synctest.Wait()
	err := e.Fault(time.Now())
	if part == "" && err != nil || part != "" && (err == nil || !strings.Contains(err.Error(), part)) {
		t.Errorf("fault %v, want %q", err, part)
	}
}

// TestAFamilyThatAppearsIsProbedAtOnce: the next interval may be a day away. Until the probe has
// ended, the state of the new load of the module is unknown.
func TestAFamilyThatAppearsIsProbedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &module{err: os.ErrNotExist}
		e := echoing(t, m, everyDay())
		e.want(t, "not exist")
		hang := make(chan struct{})
		m.set(nil, hang)
		e.Appeared()
		e.want(t, ErrUnprobed.Error())
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
		e := newLoop(m, everyDay())
		e.Appeared() // before it runs, as at the start of the daemon
		ctx, cancel := context.WithCancel(t.Context())
		go e.Run(ctx)
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
		e := echoing(t, m, Config{Interval: 30 * time.Second, Timeout: 5 * time.Second})
		e.want(t, "")
		hang := make(chan struct{})
		m.set(nil, hang)
		time.Sleep(30 * time.Second)
		e.want(t, "")
		time.Sleep(30 * time.Second)
		e.want(t, "no health check has ended for 1m0s; the interval is 30s")
		close(hang)
		m.set(nil, nil)
		time.Sleep(time.Minute)
		e.want(t, "")
	})
}

func TestAFailedProbeIsRepeatedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &module{err: os.ErrDeadlineExceeded}
		e := echoing(t, m, everyDay())
		e.want(t, "timeout")
		m.set(nil, nil)
		time.Sleep(2 * maxRetry)
		e.want(t, "")
	})
}

func TestDisabledProbesAreNotAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &module{err: errors.New("no")}
		e := echoing(t, m, everyDay())
		e.want(t, "no")
		e.Configure(Config{})
		e.want(t, "")
		probes := m.count()
		time.Sleep(48 * time.Hour)
		if m.count() != probes {
			t.Error("a probe was made")
		}
		m.set(nil, nil)
		e.Configure(everyDay())
		e.want(t, "")
	})
}
