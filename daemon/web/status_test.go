// SPDX-License-Identifier: Apache-2.0

package web

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// broken is the status of a daemon with a sink that fails, whose server answers with HTML.
func broken() *api.Status {
	at := time.Unix(1e9, 0)
	return &api.Status{
		Version: "1.2.3", PID: 7, Time: at, Started: at,
		Parts: []api.Part{
			{Name: "receiver/genltest", Alive: false},
			{Name: "delivery/hook", Alive: true, Faults: []api.Fault{{Reason: "attempt", Text: "HTTP 503 <script>alert(1)</script>"}}},
			{Name: "listener/http", Alive: true},
			{Name: "journal", Alive: true, Faults: []api.Fault{{Text: "disk full"}, {Reason: "journal", Text: "permission denied"}}},
		},
		Notes: []api.Note{
			{Part: "delivery/late", Text: "the sink is slow"}, {Part: "clock", Text: "the wall clock was stepped by +2m0s", Since: &at},
		},
		Families: []api.Family{{
			Name: "genltest", Subscribed: true, BufferBytes: 3 << 19, Received: 1234567,
			Lost: map[string]uint64{"kernel_buffer": 5, "unexplained": 0},
		}},
		Journal: api.Journal{Accepting: true, Bytes: 5 << 30, MaxBytes: 10 << 30, Fsync: "interval"},
		Sinks: []api.Sink{{
			Name: "hook", Kind: "webhook", State: api.SinkRetrying, Waiting: 1200, InFlight: 4, BehindS: 3725,
			Dropped: map[string]uint64{"journal": 1, "max_age": 1000}, LastError: "a text that only the control socket shows",
		}},
	}
}

func TestViewNamesEachFault(t *testing.T) {
	v := viewOf(broken())
	want := []problem{
		{"receiver/genltest makes no progress", "a restart of the daemon is needed"},
		{"Events do not reach hook", "HTTP 503 <script>alert(1)</script>; 1,204 events wait, 1h2m5s behind"},
		{"The journal does not store events", "disk full"},
		{"Events in the journal cannot be read", "permission denied"},
	}
	if diff := cmp.Diff(want, v.Problems); diff != "" || v.Healthy || v.Headline != "4 faults" {
		t.Errorf("%q, healthy %v, problems (-want +got):\n%s", v.Headline, v.Healthy, diff)
	}
	wantNotes := []problem{
		{"Events reach late late", "the sink is slow"}, {"Clock", "the wall clock was stepped by +2m0s, at 2001-09-09 01:46:40 UTC"},
	}
	if diff := cmp.Diff(wantNotes, v.Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if v.Received != 1234567 || v.Lost != 5 || v.Behind["hook"] != 3725 {
		t.Errorf("charts of %d, %d, %v", v.Received, v.Lost, v.Behind)
	}
	rows := [][]string{
		{"hook", "webhook", "retrying", "1,204", "1h2m5s", "0", "1,001 (journal 1, max_age 1,000)", "0", "0"},
		{"genltest", "yes", "1,234,567", "5 (kernel_buffer 5)", "0", "1.5 MiB", "0 s"},
		{"yes", "5.0 GiB", "10.0 GiB", "none", "0", "0", "interval"},
	}
	for i, row := range rows {
		if diff := cmp.Diff([][]string{row}, v.Tables[i].Rows); diff != "" || len(v.Tables[i].Columns) != len(row) {
			t.Errorf("table %s (-want +got):\n%s", v.Tables[i].Name, diff)
		}
	}
}

// TestStatusPage checks that the page is complete without JavaScript, refers to no other host, and
// contains the text of a fault as text.
func TestStatusPage(t *testing.T) {
	p := pages(new([]string), prometheus.NewCounter(prometheus.CounterOpts{Name: "scrapes_total", Help: "x"}))
	p.Status = broken
	h := Handler(p, slog.New(slog.DiscardHandler))
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	page := get("/").Body.String()
	for _, part := range []string{
		"✗", "4 faults",
		"&lt;script&gt;alert(1)&lt;/script&gt;; 1,204 events wait", `data-label="Waiting">1,204<`, "Version 1.2.3",
		`State at <span id="at">2001-09-09 01:46:40 UTC<`, `<a href="./">Refresh</a>`,
	} {
		if !strings.Contains(page, part) {
			t.Errorf("the page does not contain %q", part)
		}
	}
	for _, address := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if strings.HasPrefix(address[1], "/") || strings.Contains(address[1], "//") {
			t.Errorf("%s is not relative", address[0])
		}
	}
	for _, path := range []string{"/", "/status.json", "/status.js", "/status.css"} {
		w := get(path)
		header := w.Header()
		if w.Code != 200 || !strings.HasPrefix(header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'; ") ||
			header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %d, %v", path, w.Code, header)
		}
		if body := w.Body.String(); strings.Contains(body, "only the control socket") || strings.Contains(body, "<script>alert") {
			t.Errorf("%s: %s", path, body)
		}
	}
}
