// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/internal/kernelmsg"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/metrics"
)

// isReached reports whether the last canary has reached a sink.
func isReached(t *testing.T, c *api.Client, sink string) bool {
	t.Helper()
	last, err := c.LastCanary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range last.Sinks {
		if s.Sink == sink {
			return s.Reached
		}
	}
	t.Fatalf("the sink %s is not in %+v", sink, last)
	return false
}

func requestCanary(t *testing.T, c *api.Client) *api.Canary {
	t.Helper()
	requested, err := c.RequestCanary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return requested
}

func TestACanaryReachesEachSinkAndNoneReceivesIt(t *testing.T) {
	f := start(t, listenAnywhere+"sinks:\n- {name: out, stdout: {}}\n- {name: other, stdout: {}, filter: 'message == \"two\"'}\n",
		newKernel(), prober{})
	f.ready(t)
	c := f.client()
	var refused *api.Error
	if _, err := c.LastCanary(t.Context()); !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
		t.Errorf("before the first canary: %v", err)
	}
	series := regexp.MustCompile(`genltestd_canary_latency_seconds\{sink="(\w+)"\} `)
	_, scrape := f.get(t, "/metrics")
	if series.MatchString(scrape) || !strings.Contains(scrape, "\ngenltestd_canary_last_timestamp_seconds 0\n") {
		t.Error("metrics before the first canary")
	}
	requested := requestCanary(t, c)
	if len(requested.Sinks) != 2 || requested.Received || requested.Text == "" {
		t.Errorf("requested: %+v", requested)
	}
	if _, err := c.RequestCanary(t.Context()); !errors.As(err, &refused) || refused.Status != http.StatusConflict {
		t.Errorf("a second canary: %v", err)
	}
	for _, text := range []string{"one", "genltestd canary 00", requested.Text, "two"} {
		f.kernel.event(text)
	}
	poll.Until(t, "the canary reaches the sinks", func() bool { return isReached(t, c, "out") && isReached(t, c, "other") })
	last, err := c.LastCanary(t.Context())
	if err != nil || !last.Received || last.Text != "" || !last.Requested.Equal(requested.Requested) {
		t.Errorf("%v: %+v", err, last)
	}
	_, scrape = f.get(t, "/metrics")
	if len(series.FindAllString(scrape, -1)) != 2 || strings.Contains(scrape, "canary_last_timestamp_seconds 0\n") {
		t.Errorf("metrics: %q", series.FindAllString(scrape, -1))
	}
	wantConsistent(t, scrape, 2)
	wantCanaryShown(t, f, requested.Text)
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	if out := f.stdout.String(); strings.Contains(out, requested.Text) || strings.Count(out, "\n") != 4 {
		t.Errorf("sinks have received:\n%s", out)
	}
}

// wantCanaryShown checks that operators see the third event as a canary, and those of a sink do not.
func wantCanaryShown(t *testing.T, f fixture, text string) {
	t.Helper()
	var kinds []string
	all := &api.EventsQuery{Limit: 10}
	if err := f.client().Events(t.Context(), all, func(line []byte) error {
		var e struct{ Kind, Message string }
		if err := json.Unmarshal(line, &e); err != nil || (e.Kind == "canary") != (e.Message == text) {
			t.Errorf("%v: %s", err, line)
		}
		kinds = append(kinds, e.Kind)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(kinds, " "); got != "event event canary event" {
		t.Errorf("kinds %s", got)
	}
	if got := strings.Join(f.tailed(t, api.EventsQuery{Sink: "out", Limit: 10}), "|"); got != "one|genltestd canary 00|two" {
		t.Errorf("of the sink: %s", got)
	}
	x, err := f.client().Explain(t.Context(), "3", "")
	if err != nil || len(x.Sinks) != 2 || x.Sinks[0].Outcome != api.OutcomeCanary || x.Sinks[1].Outcome != api.OutcomeCanary {
		t.Errorf("explain: %v, %+v", err, x)
	}
}

// The sink fails, and the daemon is restarted while one canary waits in the journal and another one was
// requested and not received. The sink receives only the events.
func TestCanariesRemainCanariesAfterARestart(t *testing.T) {
	dirs := Dirs{State: t.TempDir(), Runtime: t.TempDir()}
	path := filepath.Join(t.TempDir(), "d", "events.jsonl")
	cfg := parse(t, listenAnywhere+"shutdown: {drain: 0}\nsinks:\n- {name: archive, retry_max: 100ms, file: {path: "+path+"}}\n")
	run := func() fixture {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		k := newKernel()
		f := launch(t, cfg, Options{Dirs: dirs, Kernel: k, Echo: prober{}})
		f.kernel = k
		return f
	}
	f := run()
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	f.ready(t)
	c := f.client()
	first := requestCanary(t, c)
	for _, text := range []string{"one", first.Text, "two"} {
		f.kernel.event(text)
	}
	poll.Until(t, "receipt", func() bool { last, err := c.LastCanary(t.Context()); return err == nil && last.Received })
	if isReached(t, c, "archive") {
		t.Error("the canary has reached a sink that accepts nothing")
	}
	second := requestCanary(t, c)
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	f = run()
	f.kernel.event(second.Text)
	f.kernel.event("three")
	poll.Until(t, "delivery", func() bool { return sinkState(t, f, "archive").Delivered == 3 })
	if s := sinkState(t, f, "archive"); s.Suppressed[metrics.SuppressedCanary] != 2 || s.Events != 5 {
		t.Errorf("account %+v", s)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), "canary") || strings.Count(string(text), "\n") != 3 {
		t.Errorf("%v: the sink has received:\n%s", err, text)
	}
}

// The series of a sink that is removed would show the latency of a sink that does not exist.
func TestTheLatencyOfARemovedSinkDisappears(t *testing.T) {
	f := startReloadable(t, listenAnywhere+"sinks:\n- {name: out, stdout: {}}\n- {name: gone, stdout: {}}\n")
	f.ready(t)
	requestCanary(t, f.client())
	f.mustReload(t, listenAnywhere+"sinks:\n- {name: out, stdout: {}}\n")
	poll.Until(t, "the end of the series", func() bool {
		_, scrape := f.get(t, "/metrics")
		return !strings.Contains(scrape, `canary_latency_seconds{sink="gone"}`)
	})
	if _, scrape := f.get(t, "/metrics"); !strings.Contains(scrape, `canary_latency_seconds{sink="out"}`) {
		t.Error("the series of the other sink does not exist")
	}
}

// Only genltest has canaries: other families multicast messages, not texts.
func TestATextOfAnotherFamilyIsNotACanary(t *testing.T) {
	f := startFamilies(t, listenAnywhere+"families: [beta, genltest]\nsinks: [{name: out, stdout: {}}]\n")
	f.ready(t)
	c := f.client()
	requested := requestCanary(t, c)
	f.kernel.multicast("beta", requested.Text)
	poll.Until(t, "delivery", func() bool { return sinkState(t, f.fixture, "out").Delivered == 1 })
	if last, err := c.LastCanary(t.Context()); err != nil || last.Received {
		t.Errorf("%v: %+v", err, last)
	}
	f.kernel.SocketOf("genltest").Send(genl.Message{Data: kernelmsg.Event(requested.Text)})
	poll.Until(t, "the canary", func() bool { return isReached(t, c, "out") })
}

func TestWithoutGenltestNoCanaryIsRequested(t *testing.T) {
	f := start(t, listenAnywhere+"families: [beta]\nsinks: [{name: out, stdout: {}}]\n", newKernel(), prober{})
	if _, err := f.client().RequestCanary(t.Context()); err == nil || !strings.Contains(err.Error(), "add it to families") {
		t.Errorf("error %v", err)
	}
}
