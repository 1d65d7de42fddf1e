// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/internal/apidoc"
	"github.com/genltestd/genltestd/internal/kernelmsg"
	"github.com/genltestd/genltestd/internal/poll"
)

// An apiClient sends requests to a daemon, and compares each answer with docs/api.yaml.
type apiClient struct {
	document *apidoc.Document
	http     *http.Client
}

func newAPIClient(t *testing.T, f fixture) *apiClient {
	t.Helper()
	d, err := apidoc.Read("../docs/api.yaml")
	if err != nil {
		t.Fatal(err)
	}
	socket := f.socket.Bound().Addr()
	return &apiClient{d, &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}
}

// ask sends a request to the path, which is one of the pattern's, and returns status and body.
func (c *apiClient) ask(t *testing.T, pattern, path, body string, header ...string) (int, string) {
	t.Helper()
	method, _, _ := strings.Cut(pattern, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, "http://genltestd"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.document.Check(c.document.Operation(pattern), resp.StatusCode, resp.Header.Get("Content-Type"), answer); err != nil {
		t.Errorf("%s: %v", path, err)
	}
	return resp.StatusCode, string(answer)
}

// busyDaemon runs a daemon with events, a gap, a sink that retries, and dead letters. It returns
// the id of the first event.
func busyDaemon(t *testing.T) (r *reloadable, id string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	r = startReloadable(t, listenAnywhere+"shutdown: {drain: 0}\n"+
		"event: {labels: {site: a}, machine_id: true, boot_id: true, kernel_release: true}\nsinks:\n"+
		"- {name: out, stdout: {}}\n"+
		"- {name: raw, envelope: raw, extract: '(?P<a>.)', filter: message startsWith \"o\", dedup: {window: 1h}, stdout: {}}\n"+
		"- {name: bad, retry_min: 1h, retry_max: 1h, webhook: {url: '"+server.URL+"'}}\n")
	r.ready(t)
	r.kernel.Socket().Send(
		genl.Message{Data: kernelmsg.EventOf(kernelmsg.Family, kernelmsg.Text("one"), kernelmsg.Seq(1), kernelmsg.LoadID(7))},
		genl.Message{Data: kernelmsg.EventOf(
			kernelmsg.Family, kernelmsg.Text("o\xff"), kernelmsg.Seq(5), kernelmsg.LoadID(7), kernelmsg.Time(9))},
	)
	ids := r.addDeadLetters(t, "out", kernelmsg.Event("one"), []byte("no event"))
	c := newAPIClient(t, r.fixture)
	poll.Until(t, "a gap, a delivery and a failure", func() bool {
		_, events := c.ask(t, "GET /v1/events", "/v1/events?limit=100", "")
		return strings.Contains(events, `"gap":`) && sinkState(t, r.fixture, "out").Delivered > 2 &&
			len(sinkState(t, r.fixture, "bad").Faults) > 0
	})
	return r, ids[0]
}

// gzipped is the beginning of compressed data.
const gzipped = "\x1f\x8b"

func TestAnswersOfTheDaemonAreDocumented(t *testing.T) {
	r, id := busyDaemon(t)
	c := newAPIClient(t, r.fixture)
	for _, q := range []struct {
		pattern, path, body string
		status              int
		part                string
	}{
		{"GET /v1/status", "/v1/status", "", 200, `"state":"retrying"`},
		{"GET /v1/metrics", "/v1/metrics", "", 200, "genltestd_"},
		{"GET /debug/pprof/goroutine", "/debug/pprof/goroutine", "", 200, "goroutine "},
		{"GET /debug/pprof/heap", "/debug/pprof/heap", "", 200, gzipped},
		{"GET /debug/pprof/profile", "/debug/pprof/profile?seconds=1", "", 200, gzipped},
		{"GET /debug/pprof/profile", "/debug/pprof/profile?seconds=0", "", 400, "seconds"},
		{"GET /v1/canary", "/v1/canary", "", 404, "no canary"},
		{"POST /v1/canary", "/v1/canary", "", 200, `"text":"genltestd canary `},
		{"POST /v1/canary", "/v1/canary", "", 409, "another canary"},
		{"GET /v1/canary", "/v1/canary", "", 200, `"sink":"bad"`},
		{"GET /v1/config", "/v1/config", "", 200, "labels:"},
		{"GET /v1/config/files", "/v1/config/files", "", 200, "labels:"},
		{"GET /v1/log-level", "/v1/log-level", "", 200, `"level":"info"`},
		{"PUT /v1/log-level", "/v1/log-level", `{"level":"warn"}`, 200, `"level":"warn"`},
		{"PUT /v1/log-level", "/v1/log-level", `{"level":"all"}`, 400, "level"},
		{"GET /v1/events", "/v1/events?limit=100", "", 200, `"message_base64":`},
		{"GET /v1/events", "/v1/events?limit=100&sink=raw", "", 200, `"encoded_base64":`},
		{"GET /v1/events", "/v1/events", "", 200, ""},
		{"GET /v1/events", "/v1/events?from=x", "", 400, `"from: `},
		{"GET /v1/events", "/v1/events?from=99", "", 404, `"from: `},
		{"GET /v1/events", "/v1/events?sink=none", "", 404, "none"},
		{"GET /v1/events", "/v1/events?filter=%28", "", 400, `"filter: `},
		{"GET /v1/events/{id}", "/v1/events/1", "", 200, `"captures":{"a":"o"}`},
		{"GET /v1/events/{id}", "/v1/events/1?filter=message+%3D%3D+%22one%22", "", 200, `"value":true`},
		{"GET /v1/events/{id}", "/v1/events/1?filter=x", "", 400, `"filter: `},
		{"GET /v1/events/{id}", "/v1/events/x", "", 400, "is not an event id"},
		{"GET /v1/events/{id}", "/v1/events/99", "", 404, "unknown"},
		{"GET /v1/dead-letters", "/v1/dead-letters", "", 200, `"letters":2`},
		{"GET /v1/dead-letters/{sink}", "/v1/dead-letters/out", "", 200, `"record_base64"`},
		{"GET /v1/dead-letters/{sink}", "/v1/dead-letters/bad", "", 200, ""},
		{"GET /v1/dead-letters/{sink}", "/v1/dead-letters/none", "", 404, "unknown sink"},
		{"GET /v1/dead-letters/{sink}/{id}", "/v1/dead-letters/out/" + id, "", 200, `"reason":"no"`},
		{"GET /v1/dead-letters/{sink}/{id}", "/v1/dead-letters/out/1", "", 404, "unknown event"},
		{"POST /v1/dead-letters/{sink}/drop", "/v1/dead-letters/out/drop", `{"ids":["x"]}`, 404, "unknown event"},
		{"POST /v1/dead-letters/{sink}/drop", "/v1/dead-letters/none/drop", `{"all":true}`, 404, "unknown sink"},
		{"POST /v1/dead-letters/{sink}/replay", "/v1/dead-letters/out/replay", `{"ids":["` + id + `"]}`, 200, `{"letters":1}`},
		{"POST /v1/dead-letters/{sink}/drop", "/v1/dead-letters/out/drop", `{"all":true}`, 200, `{"letters":`},
		{"POST /v1/reload", "/v1/reload", "", 200, `"unchanged":3`},
	} {
		if status, answer := c.ask(t, q.pattern, q.path, q.body); status != q.status || !strings.Contains(answer, q.part) {
			t.Errorf("%s %s: %d %s, want %d and %s", q.pattern, q.path, status, answer, q.status, q.part)
		}
	}
	for _, accept := range []string{"application/openmetrics-text", "application/vnd.google.protobuf"} {
		c.ask(t, "GET /v1/metrics", "/v1/metrics", "", "Accept", accept+";version=1.0.0")
	}
	r.text.set("sinks: {")
	for _, pattern := range []string{"GET /v1/config/files", "POST /v1/reload"} {
		_, path, _ := strings.Cut(pattern, " ")
		if status, answer := c.ask(t, pattern, path, ""); status != http.StatusUnprocessableEntity || !strings.Contains(answer, "test.yaml:1") {
			t.Errorf("%s with a fault: %d %s", pattern, status, answer)
		}
	}
}

// Empty lists must not become null.
func TestAnswersOfADaemonWithoutEventsAreDocumented(t *testing.T) {
	for name, yaml := range map[string]string{
		"no sink":       "shutdown: {drain: 0}\n",
		"a new sink":    "sinks: [{name: out, stdout: {}}]\n",
		"absent family": "families: [{name: absent}]\nsinks: [{name: out, stdout: {}}]\n",
	} {
		c := newAPIClient(t, start(t, yaml, newKernel(), prober{}))
		for _, path := range []string{"/v1/status", "/v1/dead-letters", "/v1/config"} {
			if status, answer := c.ask(t, "GET "+path, path, ""); status != http.StatusOK {
				t.Errorf("%s: GET %s: %d %s", name, path, status, answer)
			}
		}
	}
}

func TestAnswersAboutAnUnopenedSinkAreDocumented(t *testing.T) {
	r, _ := startBlocked(t)
	r.kernel.event("one")
	r.lines(t, "good", 1)
	c := newAPIClient(t, r.fixture)
	for _, q := range []struct {
		pattern, path string
		status        int
		part          string
	}{
		{"GET /v1/status", "/v1/status", 200, `"reason":"open"`},
		{"GET /v1/events/{id}", "/v1/events/1", 200, `"outcome":"not_open"`},
		{"GET /v1/events", "/v1/events?sink=bad&limit=1", 200, `"message":"one"`},
		{"GET /v1/dead-letters", "/v1/dead-letters", 200, `"sink":"good"`},
		{"GET /v1/dead-letters/{sink}", "/v1/dead-letters/bad", 500, "is not open"},
		{"POST /v1/sinks/{sink}/test", "/v1/sinks/bad/test", 409, "the sink bad is not open"},
		{"POST /v1/sinks/{sink}/test", "/v1/sinks/good/test", 200, `"outcome":"accepted"`},
	} {
		if status, answer := c.ask(t, q.pattern, q.path, ""); status != q.status || !strings.Contains(answer, q.part) {
			t.Errorf("%s: %d %s, want %d and %s", q.path, status, answer, q.status, q.part)
		}
	}
}

// Each answer to a hostile request is documented, is not 5xx, and names the parameter at fault.
func TestTheDaemonRejectsHostileRequests(t *testing.T) {
	r, _ := busyDaemon(t)
	c := newAPIClient(t, r.fixture)
	values := []string{
		"", "0", "-1", "7", "18446744073709551615", "18446744073709551616", "x-18446744073709551615", r.journal.ID() + "-0", "1e9", "NaN",
		"\x00", "\xff\xfe", "\u202e\x1b[2J", "..", "../../etc/passwd", "a/b", "out", strings.Repeat("x", 16<<10), strings.Repeat("(", 16<<10),
		"0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2026-13-01T00:00:00Z", "2026-01-02T03:04:05+99:99",
		"TRUE", "(", "message", `message matches "(a+)+$"`, "map(1..100000000, #)[0] == 1", `message == "` + "\n" + `"`, "1/0 == 1", "nil",
	}
	refused := 0
	check := func(pattern, path, body string, names ...string) {
		status, answer := c.ask(t, pattern, path, body)
		if status >= http.StatusInternalServerError {
			t.Errorf("%s %s: %d %.200s", pattern, path, status, answer)
		}
		if status == http.StatusBadRequest {
			refused++
			if !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(answer, `{"error":"`+name) }) {
				t.Errorf("%s %.200s: the error does not name %q: %.200s", pattern, path, names, answer)
			}
		}
	}
	for _, o := range c.document.Operations {
		_, path, _ := strings.Cut(o.Pattern, " ")
		for _, value := range values {
			sink, id := "out", "1"
			for _, name := range o.Query {
				at := strings.NewReplacer("{sink}", sink, "{id}", id).Replace(path)
				check(o.Pattern, at+"?"+url.Values{name: {value}}.Encode(), "", name+": ")
			}
			escaped := url.PathEscape(value)
			if o.Body {
				check(o.Pattern, strings.ReplaceAll(path, "{sink}", sink), value, "body: ")
				check(o.Pattern, strings.ReplaceAll(path, "{sink}", sink), `{"ids":["`+escaped+`"]}`, "body: ")
			}
			if value == "" || value == ".." || path == "/v1/reload" {
				continue // another path
			}
			if strings.Contains(path, "{sink}") && !o.Body {
				check(o.Pattern, strings.NewReplacer("{sink}", escaped, "{id}", id).Replace(path), "") // status 404
			}
			if strings.Contains(path, "{id}") {
				check(o.Pattern, strings.NewReplacer("{sink}", sink, "{id}", escaped).Replace(path), "", `\"`)
			}
		}
	}
	if refused < 50 {
		t.Errorf("only %d requests are refused", refused)
	}
}
