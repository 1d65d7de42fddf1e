// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestTheStatusFollowsWithinASecondAndNotMoreOften: the receiver looks once a second; more
// looks, as by two receivers, send no more lines.
func TestTheStatusFollowsWithinASecondAndNotMoreOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events atomic.Int64
		var mu sync.Mutex
		var lines []string
		s := newStatusReporter(func() string { return fmt.Sprintf("%d events", events.Load()) },
			func(line string) { mu.Lock(); defer mu.Unlock(); lines = append(lines, line) })
		ctx, cancel := context.WithCancel(t.Context())
		go s.run(ctx)
		synctest.Wait()
		want := func(last string, n int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(lines) != n || lines[n-1] != last {
				t.Errorf("lines %q, want %d, the last %q", lines, n, last)
			}
		}
		want("0 events", 1)
		for range 60 {
			time.Sleep(time.Second)
			s.look()
		}
		want("0 events", 1)
		events.Store(10_006)
		s.look()
		want("10006 events", 2)
		events.Store(10_007)
		s.look()
		want("10006 events", 2)
		time.Sleep(time.Second)
		s.look()
		want("10007 events", 3)
		events.Store(10_008) // while nobody looks
		time.Sleep(statusMax)
		want("10008 events", 4)
		cancel()
	})
}

// TestTheStatusCountsEventsAsTheMetricDoes: gap lines are not events.
func TestTheStatusCountsEventsAsTheMetricDoes(t *testing.T) {
	k := &fakeKernel{}
	f := start(t, listenAnywhere+"sinks: [{name: out, stdout: {}}]\n", k, prober{})
	f.kernel.event("one")
	k.drops.Store(5)
	eventually(t, "a gap is told", func() bool { return strings.Contains(f.stdout.String(), `"kind":"gap"`) })
	f.kernel.event("two")
	eventually(t, "both events", func() bool { return f.receiver.Received() == 2 })
	_, body := f.get(t, "/metrics")
	if !strings.Contains(body, "\ngenltestd_events_received_total 2\n") {
		t.Error("the metric has another number")
	}
	if line := f.statusLine(); !strings.Contains(line, "; 2 events;") {
		t.Errorf("status %q", line)
	}
	if diff := cmp.Diff(uint64(3), f.journal.Count()); diff != "" {
		t.Errorf("lines in the journal (-want +got):\n%s", diff)
	}
}
