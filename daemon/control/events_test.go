// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/internal/poll"
)

// Tail implements Events. It writes two events, and with Follow waits.
func (d ten) Tail(ctx context.Context, q api.EventsQuery, to EventWriter) error {
	if q.From == "gone" {
		return &api.Error{Status: http.StatusNotFound, Message: "removed"}
	}
	if _, err := to.Write([]byte("{\"kind\":\"event\"}\n{\"kind\":\"missed\",\"count\":2}\n")); err != nil {
		return err
	}
	if err := to.Flush(); err != nil {
		return err
	}
	if d.bad > 0 {
		return errors.New("the disk is broken")
	}
	if q.Follow {
		<-ctx.Done()
	}
	return ctx.Err()
}

// Explain implements Events.
func (ten) Explain(id, filter string) (*api.Explanation, error) {
	return &api.Explanation{ID: id + filter, Event: []byte("{}")}, nil
}

func TestSocketAnswersRequestsForEvents(t *testing.T) {
	for _, c := range []struct {
		letters ten
		path    string
		code    int
		part    string
	}{
		{ten{}, "/v1/events", 200, "{\"kind\":\"event\"}\n{\"kind\":\"missed\",\"count\":2}\n"},
		{ten{bad: 1}, "/v1/events", 200, "\"count\":2}\n{\"kind\":\"error\",\"error\":\"the disk is broken\"}\n"},
		{ten{}, "/v1/events?from=gone", 404, `{"error":"removed"}`},
		{ten{}, "/v1/events?limit=x", 400, `limit: \"x\" is not a number from 0 to 100000`},
		{ten{}, "/v1/events?sink=a&filter=b", 400, "exclude each other"},
		{ten{}, "/v1/events?sink=a&sink=b", 400, "sink: specified twice"},
		{ten{}, "/v1/events?sort=up", 400, "unknown parameter"},
		{ten{}, "/v1/events/j-1?filter=x", 200, `{"id":"j-1x"`},
		{ten{}, "/v1/events/", 404, "another version"},
	} {
		w := httptest.NewRecorder()
		log := slog.New(slog.DiscardHandler)
		socketHandler(c.letters, newAccess(c.letters.Operators, log), log).ServeHTTP(w, httptest.NewRequest(http.MethodGet, c.path, nil))
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.part) {
			t.Errorf("GET %s: %d %q", c.path, w.Code, w.Body)
		}
	}
}

// TestTailsDoNotLockOutOtherRequests: further streams are refused, and other requests are answered.
func TestTailsDoNotLockOutOtherRequests(t *testing.T) {
	c := api.NewClient(listen(t, ten{}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun, ended := make(chan bool, maxTails), make(chan error, maxTails)
	tail := func(ctx context.Context) error {
		return c.Events(ctx, &api.EventsQuery{Follow: true}, func(line []byte) error {
			if strings.Contains(string(line), "missed") {
				begun <- true
			}
			return nil
		})
	}
	for range maxTails {
		go func() { ended <- tail(ctx) }()
	}
	for range maxTails {
		<-begun
	}
	var refused *api.Error
	err := tail(ctx)
	if !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable || !strings.Contains(err.Error(), "4 clients") {
		t.Errorf("one more: %v", err)
	}
	for range 10 {
		if err := c.Boxes(ctx, func(api.Box) error { return nil }); err != nil {
			t.Error(err)
		}
	}
	cancel()
	for range maxTails {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	poll.Until(t, "a free stream", func() bool {
		return c.Events(t.Context(), &api.EventsQuery{}, func([]byte) error { return nil }) == nil
	})
}

// Each byte of the filter is three bytes in the request.
func TestFiltersOfTheMaximumLengthFitIntoARequest(t *testing.T) {
	c := api.NewClient(listen(t, ten{}))
	ask := map[string]func(filter string) error{
		"explain": func(filter string) error {
			x, err := c.Explain(t.Context(), "j-1", filter)
			if err == nil && x.ID != "j-1"+filter {
				t.Error("another filter arrived")
			}
			return err
		},
		"tail": func(filter string) error {
			return c.Events(t.Context(), &api.EventsQuery{Filter: filter}, func([]byte) error { return nil })
		},
	}
	for name, do := range ask {
		if err := do(strings.Repeat("ü", 8<<10)); err != nil {
			t.Errorf("%s, 16 KiB: %v", name, err)
		}
		var refused *api.Error
		if err := do(strings.Repeat("ü", 12<<10)); !errors.As(err, &refused) || !strings.Contains(err.Error(), "shorten the filter") {
			t.Errorf("%s, 24 KiB: %v", name, err)
		}
	}
}

func TestEventsReportsTheEndOfTheDaemon(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	socket := listen(t, ended{})
	err := api.NewClient(socket).Events(ctx, &api.EventsQuery{Follow: true}, func([]byte) error { return nil })
	if !errors.Is(err, api.ErrStreamEnded) {
		t.Errorf("an ended stream: %v", err)
	}
	err = api.NewClient(socket).Events(ctx, &api.EventsQuery{}, func([]byte) error { return io.ErrShortWrite })
	if !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("an error of visit: %v", err)
	}
	err = api.NewClient(listen(t, ten{bad: 1})).Events(ctx, &api.EventsQuery{Follow: true}, func([]byte) error { return nil })
	if err == nil || err.Error() != "the disk is broken" {
		t.Errorf("an error of the stream: %v", err)
	}
}

// ended ends each stream at once.
type ended struct{ ten }

func (ended) Tail(_ context.Context, _ api.EventsQuery, to EventWriter) error {
	_, err := to.Write([]byte("{}\n"))
	return err
}

// For any query string, parsing ends without a panic, and an accepted query survives Values.
func FuzzEventsQuery(f *testing.F) {
	f.Add("sink=a&limit=7&follow=true")
	f.Add("filter=message+%3D%3D+%22x%22&since=2026-01-02T03:04:05.000000006Z&from=j-1")
	f.Add("limit=-1&follow=maybe&%00=%ff;")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		q, err := api.ParseEventsQuery(v)
		if err != nil {
			return
		}
		if year := q.Since.UTC().Year(); year < 0 || year > 9999 {
			return // RFC 3339 cannot write it
		}
		again, err := api.ParseEventsQuery(q.Values())
		if diff := cmp.Diff(q, again, cmp.Comparer(time.Time.Equal)); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", text, err, diff)
		}
	})
}
