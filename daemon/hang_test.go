// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/internal/poll"
)

// One of eight sinks hangs while the kernel sends 10,000 events per second. This must not
// affect the receiver and the other sinks. With GENLTESTD_SOAK=1 the sink hangs for minutes.
func TestHangingSinkDoesNotAffectTheOthers(t *testing.T) {
	hangs := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hangs:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	var yaml strings.Builder
	yaml.WriteString(listenAnywhere + "shutdown: {drain: 0}\nsinks:\n")
	for i := range 7 {
		fmt.Fprintf(&yaml, "- {name: f%d, file: {path: %s/%[1]d, fsync: never}}\n", i, dir)
	}
	fmt.Fprintf(&yaml, "- {name: hung, attempt_timeout: 1h, webhook: {url: %s/}}\n", server.URL)
	f := start(t, yaml.String(), newKernel(), prober{})

	seconds := 5
	if os.Getenv("GENLTESTD_SOAK") != "" {
		seconds = 300
	}
	sent, first := 0, uint64(0)
	for s := range seconds {
		began := time.Now()
		for sent < (s+1)*10_000 {
			for range 100 {
				f.kernel.event("an event whose text has an ordinary length")
			}
			sent += 100
			time.Sleep(time.Until(began.Add(time.Duration(sent-s*10_000) * time.Second / 10_000)))
		}
		if s == 1 {
			first = heap()
		}
	}
	for i := range 7 {
		name := fmt.Sprintf("f%d", i)
		poll.Until(t, name+" has all events", func() bool { return sinkState(t, f, name).Delivered == uint64(sent) })
		if st := sinkState(t, f, name); st.Failures != 0 {
			t.Errorf("%s has failed %d times", name, st.Failures)
		}
		t.Logf("%s: mean latency %v", name, f.meanLatency(t, name))
	}
	hung := sinkState(t, f, "hung")
	if hung.Delivered != 0 || hung.Waiting+hung.InFlight != uint64(sent) {
		t.Errorf("counters of the hanging sink: %+v", hung)
	}
	if err := f.reception.Blocked(); err != nil || f.journalFault() != nil {
		t.Errorf("the receiver is blocked: %v", err)
	}
	last := heap()
	t.Logf("%d events in %d s; heap %d KiB after 2 s, %d KiB at the end", sent, seconds, first>>10, last>>10)
	if last > first+(16<<20) {
		t.Errorf("the heap grew from %d to %d bytes with the backlog", first, last)
	}
	close(hangs)
	poll.Until(t, "the hung sink has all events", func() bool { return sinkState(t, f, "hung").Delivered == uint64(sent) })
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// meanLatency returns the mean of the latency metric of a sink.
func (f fixture) meanLatency(t *testing.T, sink string) time.Duration {
	t.Helper()
	_, scrape := f.get(t, "/metrics")
	m := sinkSamples(t, scrape)[sink]
	return time.Duration(m["latency_seconds_sum"] / m["latency_seconds_count"] * float64(time.Second))
}
