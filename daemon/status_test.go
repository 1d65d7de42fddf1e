// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/metrics"
)

// statusOver returns the status as genltestctl receives it.
func (f fixture) statusOver(t *testing.T) *api.Status {
	t.Helper()
	s, err := api.NewClient(f.opts.Dirs.controlSocket()).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sinkOf returns a sink of a status.
func sinkOf(t *testing.T, s *api.Status, name string) api.Sink {
	t.Helper()
	i := slices.IndexFunc(s.Sinks, func(s api.Sink) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no sink %s in %+v", name, s.Sinks)
	}
	return s.Sinks[i]
}

// partOf returns a part of a status.
func partOf(t *testing.T, parts []api.Part, name string) api.Part {
	t.Helper()
	i := slices.IndexFunc(parts, func(p api.Part) bool { return p.Name == name })
	if i < 0 {
		t.Fatalf("no part %s in %+v", name, parts)
	}
	return parts[i]
}

func TestStatusOfAHealthyDaemon(t *testing.T) {
	f := start(t, listenAnywhere+"sinks:\n- {name: out, stdout: {}}\n- {name: none, filter: 'false', stdout: {}}\n", newKernel(), prober{})
	f.ready(t)
	for _, text := range []string{"one", "two"} {
		f.kernel.event(text)
	}
	poll.Until(t, "both sinks have the events", func() bool {
		return sinkState(t, f, "out").Delivered == 2 && sinkState(t, f, "none").Filtered == 2
	})
	s := f.statusOver(t)
	if !s.Healthy || s.Version != "test" || s.Config.Hash == "" || s.Started.After(s.Time) {
		t.Errorf("status %+v", s)
	}
	for _, name := range []string{
		"receiver/genltest", "journal", "delivery/out", "delivery/none", "listener/control", "listener/http", "state", "config",
	} {
		if p := partOf(t, s.Parts, name); !p.Alive || len(p.Faults) > 0 {
			t.Errorf("part %+v", p)
		}
	}
	if g := s.Families[0]; g.Name != "genltest" || !g.Subscribed || g.ID == 0 || g.Received != 2 || g.Lost[metrics.LostKernelBuffer] != 0 ||
		len(g.Lost) != 3 || g.Echo != "ok" || g.BufferBytes == 0 {
		t.Errorf("family %+v", g)
	}
	if j := s.Journal; !j.Accepting || j.Last < j.First || j.First == 0 || j.Oldest == nil || j.Bytes == 0 ||
		j.MaxBytes == 0 || j.Fsync != "interval" || j.Path != f.opts.Dirs.journal() {
		t.Errorf("journal %+v", j)
	}
	out := sinkOf(t, s, "out")
	if out.State != api.SinkIdle || out.Kind != "stdout" || out.Delivered != 2 || out.BehindS != 0 || out.LastDelivery == nil ||
		out.Latency.Count != 2 || len(out.Latency.Buckets) == 0 || out.LastErrorAt != nil || out.NextAttempt != nil {
		t.Errorf("sink %+v", out)
	}
	if none := sinkOf(t, s, "none"); none.Filtered != 2 || none.LastDelivery != nil || none.Latency.Count != 0 {
		t.Errorf("sink %+v", none)
	}
}

func TestStatusOfASinkThatRetries(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	f := start(t, listenAnywhere+"shutdown: {drain: 0}\nsinks:\n"+
		"- {name: bad, retry_min: 1h, retry_max: 1h, webhook: {url: '"+server.URL+"'}}\n",
		newKernel(), prober{})
	f.ready(t)
	f.kernel.event("one")
	var s *api.Status
	poll.Until(t, "the sink retries", func() bool {
		s = f.statusOver(t)
		return sinkOf(t, s, "bad").State == api.SinkRetrying
	})
	bad := sinkOf(t, s, "bad")
	if len(bad.Faults) != 1 || bad.Faults[0].Reason != metrics.FaultAttempt || bad.Faults[0].Since == nil {
		t.Errorf("faults %+v", bad.Faults)
	}
	if bad.LastError == "" || bad.LastErrorAt == nil || bad.NextAttempt == nil || !bad.NextAttempt.After(s.Time) || bad.LastDelivery != nil {
		t.Errorf("sink %+v", bad)
	}
	if bad.BehindS <= 0 || bad.Waiting+bad.InFlight != 1 {
		t.Errorf("behind %v s with %d events", bad.BehindS, bad.Waiting+bad.InFlight)
	}
	if p := partOf(t, s.Parts, "delivery/bad"); !p.Alive || len(p.Faults) != 1 || s.Healthy {
		t.Errorf("healthy %t, part %+v", s.Healthy, p)
	}
}

// A sink begins and ends to fail all the time. No answer may contradict itself.
func TestAnswersAgreeWithThemselves(t *testing.T) {
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1)%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	f := start(t, listenAnywhere+"shutdown: {drain: 0}\nsinks:\n"+
		"- {name: bad, batch_events: 1, retry_min: 1ms, retry_max: 1ms, webhook: {url: '"+server.URL+"'}}\n",
		newKernel(), prober{})
	f.ready(t)
	seen := map[bool]int{}
	for n := 0; (seen[true] < 20 || seen[false] < 20) && n < 1_000_000; n++ {
		if n%10 == 0 {
			f.kernel.event("one")
		}
		s := f.Status()
		sink, part := sinkOf(t, s, "bad"), partOf(t, s.Parts, "delivery/bad")
		if failing := len(sink.Faults) > 0; len(part.Faults) != len(sink.Faults) || s.Healthy == failing {
			t.Fatalf("healthy %t, sink %+v, part %+v", s.Healthy, sink.Faults, part)
		}
		seen[s.Healthy]++
		h := f.readiness()
		if failing := len(partOf(t, h.Parts, "delivery/bad").Faults) > 0; h.OK == failing || len(h.Faults) > 0 != failing {
			t.Fatalf("health %+v", h)
		}
	}
	if seen[true] < 20 || seen[false] < 20 {
		t.Errorf("answers by health: %v", seen)
	}
}
