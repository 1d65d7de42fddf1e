// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/internal/poll"
)

// TestASlowTailMissesRemovedEvents: the journal does not wait for a client that does not read. The client
// receives or misses each event once.
func TestASlowTailMissesRemovedEvents(t *testing.T) {
	f := start(t, listenAnywhere+"journal: {max_bytes: 1MiB}\nsinks:\n- {name: out, stdout: {}}\n", newKernel(), prober{})
	conn, err := net.Dial("unix", f.socket.Bound().Addr())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "GET /v1/events?follow=true HTTP/1.1\r\nHost: x\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer, err)
	}
	defer answer.Body.Close() // it reads to the end
	defer conn.Close()
	const total = 4000
	text := strings.Repeat("x", 3000)
	for range total {
		f.kernel.event(text)
	}
	poll.Until(t, "the journal", func() bool { return f.journal.Stats().Newest >= total })
	received, missed := uint64(0), uint64(0)
	for lines := bufio.NewReader(answer.Body); received+missed < total; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatalf("%v after %d events and %d missed", err, received, missed)
		}
		var e struct {
			Kind       string
			Seq, Count uint64
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if missed += e.Count; e.Kind == api.KindMissed {
			continue
		}
		if received++; e.Seq != received+missed {
			t.Fatalf("event %d after %d events and %d missed", e.Seq, received-1, missed)
		}
	}
	if missed == 0 || received+missed != total {
		t.Errorf("%d received, %d missed", received, missed)
	}
}

// outcomeOf returns the outcome of an event in a sink.
func (f fixture) outcomeOf(t *testing.T, sink string, n int) api.SinkOutcome {
	t.Helper()
	x, err := f.client().Explain(t.Context(), fmt.Sprint(n), "")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(x.Sinks, func(o api.SinkOutcome) bool { return o.Sink == sink })
	return x.Sinks[i]
}

func TestExplainConcludesTheOutcomeInEachSink(t *testing.T) {
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer down.Close()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	defer refusing.Close()
	f := start(t, listenAnywhere+"shutdown: {drain: 10ms}\nsinks:\n- {name: out, stdout: {}}\n"+
		"- {name: odd, stdout: {}, filter: int(message) % 2 == 1, extract: '(?P<n>.+)'}\n"+
		"- {name: once, stdout: {}, dedup: {window: 1h, key: host}}\n"+
		"- {name: down, batch_events: 2, webhook: {url: '"+down.URL+"'}}\n"+
		"- {name: refusing, webhook: {url: '"+refusing.URL+"'}}\n", newKernel(), prober{})
	f.send(t, 1, 6)
	poll.Until(t, "the outcomes", func() bool {
		return sinkState(t, f, "out").Delivered == 6 && sinkState(t, f, "once").Suppressed["dedup"] == 5 &&
			sinkState(t, f, "odd").Filtered == 3 && sinkState(t, f, "down").Failures > 0 && sinkState(t, f, "refusing").DeadLettered == 6
	})
	for _, c := range []struct {
		sink, want string
		n          int
	}{
		{"out", api.OutcomeDelivered, 4},
		{"odd", api.OutcomeDelivered, 3},
		{"odd", api.OutcomeFiltered, 4},
		{"once", api.OutcomeDelivered, 2}, // unless dedup suppressed it
		{"down", api.OutcomeInFlight, 1},
		{"down", api.OutcomeWaiting, 5},
		{"refusing", api.OutcomeDeadLettered, 6},
	} {
		o := f.outcomeOf(t, c.sink, c.n)
		if o.Outcome != c.want {
			t.Errorf("%s: %s, want %s: %s", c.sink, o.Outcome, c.want, o.Text)
		}
		if doubtful := c.sink == "once"; (len(o.Unless) > 0) != doubtful {
			t.Errorf("%s: unless %q", c.sink, o.Unless)
		}
	}
	if o := f.outcomeOf(t, "down", 5); o.Ahead != 4 {
		t.Errorf("waiting after %d events", o.Ahead)
	}
	if o := f.outcomeOf(t, "down", 1); len(o.Attempts) == 0 || !strings.Contains(o.Attempts[0].Error, "503") || o.Attempts[0].Events != 2 {
		t.Errorf("attempts %+v", o.Attempts)
	}
	if o := f.outcomeOf(t, "refusing", 6); o.DeadLetter == nil || o.DeadLetter.Status != http.StatusBadRequest || len(o.Attempts) == 0 {
		t.Errorf("dead letter %+v, attempts %+v", o.DeadLetter, o.Attempts)
	}
	rules := f.outcomeOf(t, "odd", 4).Rules
	if len(rules) != 2 || rules[0].Captures["n"] != "4" || rules[1].Result != "rejects" || string(rules[1].Filter.Value) != "false" {
		t.Errorf("rules %+v", rules)
	}
}
