// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/internal/poll"
)

// TestStatusIsUpdatedAtMostOncePerSecond: without events, it is checked every few seconds.
func TestStatusIsUpdatedAtMostOncePerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events, checks, sent atomic.Int64
		var busy atomic.Bool
		var last atomic.Pointer[string]
		line := func() string { checks.Add(1); return fmt.Sprintf("%d events", events.Load()) }
		s := newStatusReporter(line, busy.Load, func(line string) { sent.Add(1); last.Store(&line) })
		ctx, cancel := context.WithCancel(t.Context())
		go s.run(ctx)
		want := func(line string, n int64) {
			t.Helper()
			synctest.Wait()
			if *last.Load() != line || sent.Load() != n {
				t.Errorf("%d lines, the last %q, want %d, %q", sent.Load(), *last.Load(), n, line)
			}
		}
		want("0 events", 1)
		time.Sleep(10 * time.Minute)
		if n := checks.Load(); n > 121 {
			t.Errorf("%d checks in ten idle minutes", n)
		}
		want("0 events", 1)
		for i := range 100 { // in a second
			events.Store(int64(i))
			s.look()
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(statusMin)
		synctest.Wait()
		if n := sent.Load(); n > 3 {
			t.Errorf("%d lines in two seconds", n)
		}
		n := sent.Load()
		want("99 events", n)
		busy.Store(true) // a sink still has events
		events.Store(100)
		s.look()
		time.Sleep(2 * statusMin)
		want("100 events", n+1)
		events.Store(101) // without an event: the sink may have failed
		time.Sleep(statusMin)
		want("101 events", n+2)
		cancel()
	})
}

// TestStatusAndMetricHaveTheSameNumberOfEvents: gaps are not events.
func TestStatusAndMetricHaveTheSameNumberOfEvents(t *testing.T) {
	k := newKernel()
	f := start(t, listenAnywhere+"sinks: [{name: out, stdout: {}}]\n", k, prober{})
	f.kernel.event("one")
	s := k.Socket()
	s.Set(func() { s.Dropped = 5 })
	poll.Until(t, "the gap is delivered", func() bool { return strings.Contains(f.stdout.String(), `"kind":"gap"`) })
	f.kernel.event("two")
	poll.Until(t, "both events", func() bool { return f.reception.Received() == 2 })
	_, body := f.get(t, "/metrics")
	if !strings.Contains(body, "\n"+`genltestd_events_received_total{family="genltest",group="mcgrp"} 2`+"\n") {
		t.Error("the metric is not 2")
	}
	if line := f.statusLine(); !strings.Contains(line, "; 2 events;") {
		t.Errorf("status %q", line)
	}
	if diff := cmp.Diff(uint64(3), f.journal.Stats().Count); diff != "" {
		t.Errorf("lines in the journal (-want +got):\n%s", diff)
	}
}
