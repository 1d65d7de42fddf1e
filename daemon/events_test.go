// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/internal/poll"
)

func (f fixture) client() *api.Client { return api.NewClient(f.socket.Bound().Addr()) }

// send sends events whose texts are the numbers from first to last, and waits until they are journaled.
func (f fixture) send(t *testing.T, first, last int) {
	t.Helper()
	for n := first; n <= last; n++ {
		f.kernel.event(fmt.Sprint(n))
	}
	poll.Until(t, "the journal", func() bool { return f.journal.Stats().Newest >= uint64(last) })
}

// tailed returns the texts of the events that a query selects.
func (f fixture) tailed(t *testing.T, q api.EventsQuery) (texts []string) {
	t.Helper()
	err := f.client().Events(t.Context(), &q, func(line []byte) error {
		var e struct{ Message, Encoded string }
		if err := json.Unmarshal(line, &e); err != nil {
			t.Errorf("%v: %q", err, line)
		}
		texts = append(texts, strings.TrimRight(e.Message+" "+e.Encoded, " "))
		return nil
	})
	if err != nil {
		t.Errorf("%+v: %v", q, err)
	}
	return texts
}

func TestTailSelectsEvents(t *testing.T) {
	f := start(t, listenAnywhere+"sinks:\n- name: out\n  stdout: {}\n  envelope: raw\n  filter: int(message) > 5\n  dedup: {window: 1h}\n",
		newKernel(), prober{})
	f.send(t, 1, 9)
	id := func(n int) string { return fmt.Sprintf("%s-%d", f.journal.ID(), n) }
	for name, c := range map[string]struct {
		q    api.EventsQuery
		want string
	}{
		"the last":              {api.EventsQuery{Limit: 3}, "7 8 9"},
		"all":                   {api.EventsQuery{Limit: 1000}, "1 2 3 4 5 6 7 8 9"},
		"none":                  {api.EventsQuery{Limit: 0}, ""},
		"from an id":            {api.EventsQuery{From: id(4), Limit: api.Unlimited}, "4 5 6 7 8 9"},
		"from a number":         {api.EventsQuery{From: "8", Limit: api.Unlimited}, "8 9"},
		"the last from an id":   {api.EventsQuery{From: id(4), Limit: 2}, "8 9"},
		"since":                 {api.EventsQuery{Since: time.Now().Add(-time.Hour), Limit: api.Unlimited}, "1 2 3 4 5 6 7 8 9"},
		"since the future":      {api.EventsQuery{Since: time.Now().Add(time.Hour), Limit: 5}, ""},
		"a filter":              {api.EventsQuery{Filter: "int(message) % 2 == 0", Limit: 2}, "6 8"},
		"a filter, few match":   {api.EventsQuery{Filter: `message == "2"`, Limit: 5}, "2"},
		"a filter, none match":  {api.EventsQuery{Filter: `message == "x"`, Limit: 5}, ""},
		"a filter that fails":   {api.EventsQuery{Filter: `split(message, " ")[1] == "x"`, Limit: 1}, "9"},
		"a sink":                {api.EventsQuery{Sink: "out", Limit: 100}, "6 6 7 7 8 8 9 9"},
		"a sink since the past": {api.EventsQuery{Sink: "out", Since: time.Now().Add(-time.Hour), Limit: api.Unlimited}, "6 6 7 7 8 8 9 9"},
	} {
		if got := strings.Join(f.tailed(t, c.q), " "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for name, c := range map[string]struct {
		q      api.EventsQuery
		status int
		want   string
	}{
		"a wrong filter":  {api.EventsQuery{Filter: "mesage"}, http.StatusBadRequest, "filter: column 1: unknown name mesage; write message"},
		"an unknown sink": {api.EventsQuery{Sink: "none"}, http.StatusNotFound, `unknown sink "none"`},
		"not an id":       {api.EventsQuery{From: "x"}, http.StatusBadRequest, "is not an event id"},
		"a later event":   {api.EventsQuery{From: "77"}, http.StatusNotFound, "has not been received; the newest event has the number 9"},
		"another journal": {api.EventsQuery{From: "abc-1"}, http.StatusNotFound, "it is of another journal than the present one"},
	} {
		var refused *api.Error
		err := f.client().Events(t.Context(), &c.q, func([]byte) error { return nil })
		if !errors.As(err, &refused) || refused.Status != c.status || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTailFollowsThroughAReloadToTheEnd(t *testing.T) {
	const yaml = listenAnywhere + "shutdown: {drain: 1s}\nsinks:\n- {name: out, stdout: {}}\n"
	f := startReloadable(t, yaml)
	f.send(t, 1, 3)
	texts, ended := make(chan string, 100), make(chan error, 1)
	go func() {
		ended <- f.client().Events(t.Context(), &api.EventsQuery{Limit: 1, Follow: true, Sink: "out"}, func(line []byte) error {
			var e struct{ Message string }
			err := json.Unmarshal(line, &e)
			texts <- e.Message
			return err
		})
	}()
	for n := 3; n < 50; n++ {
		if got := <-texts; got != fmt.Sprint(n) {
			t.Fatalf("event %q, want %d", got, n)
		}
		f.send(t, n+1, n+1)
		if n == 20 {
			if done := f.mustReload(t, yaml+"- {name: more, stdout: {}}\n"); len(done.Added) != 1 {
				t.Errorf("reload %+v", done)
			}
		}
	}
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, api.ErrStreamEnded) {
		t.Errorf("the end of the daemon: %v", err)
	}
}

func TestExplainShowsTheReceiptAndTracesAFilter(t *testing.T) {
	f := start(t, listenAnywhere, newKernel(), prober{})
	f.send(t, 1, 2)
	ctx := context.Background()
	poll.Until(t, "a sync", func() bool { return f.journal.Stats().Synced == 2 })
	x, err := f.client().Explain(ctx, f.journal.ID()+"-2", `message == "2" and seq > 7`)
	if err != nil {
		t.Fatal(err)
	}
	if x.Seq != 2 || x.Family != "genltest" || x.Group != "mcgrp" || !x.Synced || x.Bytes == 0 ||
		filepath.Ext(x.File) != ".log" || x.Offset == 0 || time.Since(x.Received) > time.Hour ||
		!strings.Contains(string(x.Event), `"message":"2"`) || len(x.Sinks) > 0 {
		t.Errorf("%+v", x)
	}
	part := func(text, value string, parts ...api.FilterPart) api.FilterPart {
		return api.FilterPart{Text: text, Value: json.RawMessage(value), Parts: append([]api.FilterPart{}, parts...)}
	}
	want := part(`message == "2" and seq > 7`, "false",
		part(`message == "2"`, "true", part("message", `"2"`)), part("seq > 7", "false", part("seq", "2")))
	if diff := cmp.Diff(&want, x.Filter); diff != "" {
		t.Errorf("trace (-want +got):\n%s", diff)
	}
	var refused *api.Error
	if _, err := f.client().Explain(ctx, "2", "mesage"); !errors.As(err, &refused) || refused.Status != http.StatusBadRequest {
		t.Errorf("a wrong filter: %v", err)
	}
	if _, err := f.client().Explain(ctx, "3", ""); !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
		t.Errorf("an unknown event: %v", err)
	}
}
