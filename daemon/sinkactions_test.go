// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/metrics"
)

// A night's work: a destination is down, so an operator pauses its sink, skips what is too old, and
// resumes it after the repair.
func TestAnOperatorPausesSkipsAndResumesASink(t *testing.T) {
	var up atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	f := start(t, listenAnywhere+"shutdown: {drain: 0}\nsinks:\n"+
		"- {name: hook, retry_min: 1h, retry_max: 1h, webhook: {url: '"+server.URL+"'}}\n- {name: out, stdout: {}}\n",
		newKernel(), prober{})
	f.ready(t)
	c, ctx := api.NewClient(f.opts.Dirs.controlSocket()), t.Context()
	for _, text := range []string{"one", "two", "three"} {
		f.kernel.event(text)
	}
	poll.Until(t, "the sink retries", func() bool { return sinkOf(t, f.statusOver(t), "hook").State == api.SinkRetrying })

	if p, err := c.Pause(ctx, "hook"); err != nil || p.PausedSince == nil {
		t.Fatal(p, err)
	}
	s := f.statusOver(t)
	if got := sinkOf(t, s, "hook"); got.State != api.SinkPaused || got.Faults[0].Reason != metrics.FaultPaused || s.Healthy {
		t.Errorf("healthy %t, sink %+v", s.Healthy, got)
	}
	if code, text := f.get(t, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, "sink hook: paused: ") {
		t.Errorf("/readyz: %d %s", code, text)
	}
	if part := partOf(t, s.Parts, "delivery/hook"); !part.Alive {
		t.Errorf("a restart would not help, but the part is dead: %+v", part)
	}
	var refused *api.Error
	err := c.Retry(ctx, "hook")
	if !errors.As(err, &refused) || refused.Status != http.StatusConflict || !strings.Contains(err.Error(), "sink resume hook") {
		t.Errorf("retry of a paused sink: %v", err)
	}

	second := strconv.FormatUint(s.Journal.First+1, 10)
	n, err := c.Skip(ctx, "hook", &api.Skip{To: f.journal.ID() + "-" + second, DryRun: true})
	if err != nil || n.Before != 2 || n.Skipped != 0 {
		t.Errorf("dry run: %+v, %v", n, err)
	}
	if n, err := c.Skip(ctx, "hook", &api.Skip{To: second}); err != nil || n.Skipped != 2 || !n.Done {
		t.Errorf("skip: %+v, %v", n, err)
	}
	x, err := c.Explain(ctx, second, "")
	if err != nil || x.Sinks[0].Outcome != api.OutcomeDropped || !strings.HasPrefix(x.Sinks[0].Text, "an operator has skipped the event at ") {
		t.Errorf("explain: %+v, %v", x, err)
	}
	if n, err := c.Skip(ctx, "hook", &api.Skip{Until: ago(time.Hour)}); err != nil || n.Before != 0 || n.Skipped != 0 || !n.Done {
		t.Errorf("nothing is that old: %+v, %v", n, err)
	}

	up.Store(true)
	if p, err := c.Resume(ctx, "hook"); err != nil || p.WasPausedSince == nil || p.PausedSince != nil {
		t.Errorf("resume: %+v, %v", p, err)
	}
	poll.Until(t, "delivery of the last event", func() bool { return sinkState(t, f, "hook").Delivered == 1 })
	got := sinkOf(t, f.statusOver(t), "hook")
	if got.State != api.SinkIdle || got.Dropped[metrics.DroppedSkipped] != 2 || got.Events != 3 {
		t.Errorf("at the end %+v", got)
	}

	up.Store(false)
	f.kernel.event("four")
	poll.Until(t, "the sink retries", func() bool { return sinkOf(t, f.statusOver(t), "hook").State == api.SinkRetrying })
	up.Store(true)
	if err := c.Retry(ctx, "hook"); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "delivery by the requested attempt", func() bool { return sinkState(t, f, "hook").Delivered == 2 })

	for name, err := range map[string]error{
		"pause":  errorOf(c.Pause(ctx, "none")),
		"resume": errorOf(c.Resume(ctx, "none")),
		"retry":  c.Retry(ctx, "none"),
		"skip":   errorOf(c.Skip(ctx, "none", &api.Skip{All: true})),
	} {
		if !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
			t.Errorf("%s of an unknown sink: %v", name, err)
		}
	}
	for _, id := range []string{"99", "0123456789abcdef-1"} {
		if _, err := c.Skip(ctx, "hook", &api.Skip{To: id}); !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
			t.Errorf("skip to %s: %v", id, err)
		}
	}
}

func ago(d time.Duration) *time.Time { t := time.Now().Add(-d); return &t }

// errorOf returns the error of two results.
func errorOf[T any](_ T, err error) error { return err }
