// SPDX-License-Identifier: Apache-2.0

package control

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/unixsocket"
	"github.com/genltestd/genltestd/internal/apidoc"
	"github.com/genltestd/genltestd/internal/poll"
)

const documentPath = "../../docs/api.yaml"

func document(t testing.TB) *apidoc.Document {
	t.Helper()
	d, err := apidoc.Read(documentPath)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheDocumentListsTheRoutes(t *testing.T) {
	if diff := unlisted(document(t), routes(ten{}, slog.New(slog.DiscardHandler))); diff != "" {
		t.Errorf("docs/api.yaml and the routes (-documented +served):\n%s", diff)
	}
}

// unlisted returns the differences between the document and the routes.
func unlisted(d *apidoc.Document, served []route) string {
	type properties struct {
		Query                    []string
		Body, Operator, Listed   bool
		Forbidden, BadParameters bool // the answers 403 and 400 exist
	}
	documented, existing := map[string]properties{}, map[string]properties{}
	for _, o := range d.Operations {
		has := func(status int) bool { return slices.Contains(o.Statuses, status) }
		documented[o.Pattern] = properties{o.Query, o.Body, o.Operator, true, has(http.StatusForbidden), has(http.StatusBadRequest)}
	}
	for _, r := range served {
		existing[r.pattern] = properties{r.query, r.body, r.operator, true, r.operator, true}
	}
	return cmp.Diff(documented, existing)
}

// The document describes exactly the members that the types have.
func TestTheDocumentListsTheMembersOfEachType(t *testing.T) {
	d := document(t)
	for _, v := range []any{
		api.Attempt{},
		api.Box{},
		api.Canary{},
		api.CanarySink{},
		api.Config{},
		api.Count{},
		api.Error{},
		api.Explanation{},
		api.Families{},
		api.Family{},
		api.Fault{},
		api.FilterPart{},
		api.Journal{},
		api.Latency{},
		api.LatencyBucket{},
		api.Letter{},
		api.LogLevel{},
		api.Missed{},
		api.Part{},
		api.Pause{},
		api.Reload{},
		api.Retry{},
		api.RuleStep{},
		api.Selection{},
		api.Sink{},
		api.SinkOutcome{},
		api.Skip{},
		api.Skipped{},
		api.Status{},
		api.StreamError{},
	} {
		all, required := membersOf(reflect.TypeOf(v))
		gotAll, gotRequired := d.Members(reflect.TypeOf(v).Name())
		if diff := cmp.Diff(gotAll, all); diff != "" {
			t.Errorf("members of %T (-documented +in the type):\n%s", v, diff)
		}
		if diff := cmp.Diff(gotRequired, required); diff != "" {
			t.Errorf("required members of %T (-documented +in the type):\n%s", v, diff)
		}
	}
}

func membersOf(of reflect.Type) (all, required []string) {
	for i := range of.NumField() {
		name, options, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		all = append(all, name)
		if options != "omitempty" {
			required = append(required, name)
		}
	}
	slices.Sort(all)
	slices.Sort(required)
	return all, required
}

// A request is sent to the server, which must answer with the status.
type request struct {
	pattern    string
	status     int
	sink, id   string // in place of s and j-1
	query      string
	body       string
	operations filled
	as         uint32 // another user than that of the test
}

func requests() (list []request) {
	broken := filled{errors.New("the disk is broken")}
	invalid := filled{&api.Error{Status: http.StatusUnprocessableEntity, Message: "at fault", Faults: []string{"a.yaml:1:2: x"}}}
	paused := filled{&api.Error{Status: http.StatusConflict, Message: "the sink is paused"}}
	absent := filled{&api.Error{Status: http.StatusNotFound, Message: "no canary was requested"}}
	stopping := filled{&api.Error{Status: http.StatusServiceUnavailable, Message: "the daemon is stopping"}}
	for _, r := range routes(ten{}, slog.New(slog.DiscardHandler)) {
		body, query := "", ""
		if r.body {
			body = `{"ids":["j-1"]}`
		}
		switch r.pattern {
		case "PUT /v1/log-level":
			body = `{"level":"debug"}`
		case "POST /v1/sinks/{sink}/skip":
			body = `{"all":true}`
		case "GET /debug/pprof/profile":
			query = "seconds=1"
		}
		list = append(list, request{pattern: r.pattern, status: 200, body: body, query: query})
		list = append(list, request{pattern: r.pattern, status: 400, body: body, query: "a=b"})
		if r.operator {
			list = append(list, request{pattern: r.pattern, status: 403, body: body, as: stranger})
		}
	}
	return append(list,
		request{pattern: "GET /v1/metrics", status: 500, operations: broken},
		request{pattern: "GET /v1/config", status: 500, operations: broken},
		request{pattern: "GET /v1/config/files", status: 500, operations: broken},
		request{pattern: "GET /v1/config/files", status: 422, operations: invalid},
		request{pattern: "PUT /v1/log-level", status: 400, body: `{"level":"all"}`},
		request{pattern: "PUT /v1/log-level", status: 413, body: `{"level":"` + strings.Repeat("x", maxLevelBody) + `"}`},
		request{pattern: "POST /v1/reload", status: 422, operations: invalid},
		request{pattern: "POST /v1/reload", status: 500, operations: broken},
		request{pattern: "POST /v1/reload", status: 503, operations: stopping},
		request{pattern: "GET /v1/canary", status: 404, operations: absent},
		request{pattern: "POST /v1/canary", status: 409, operations: paused},
		request{pattern: "GET /v1/events", status: 200, query: "sink=s", operations: broken}, // the last line is the error
		request{pattern: "GET /v1/events", status: 400, query: "limit=-1"},
		request{pattern: "GET /v1/events", status: 404, query: "from=gone"},
		request{pattern: "GET /v1/events", status: 500, operations: broken},
		request{pattern: "GET /v1/events/{id}", status: 200, query: "filter=true"},
		request{pattern: "GET /v1/events/{id}", status: 404, id: "j-2"},
		request{pattern: "GET /v1/events/{id}", status: 500, operations: broken},
		request{pattern: "GET /v1/dead-letters/{sink}", status: 404, sink: "none"},
		request{pattern: "GET /v1/dead-letters/{sink}/{id}", status: 404, sink: "none"},
		request{pattern: "GET /v1/dead-letters/{sink}/{id}", status: 500, operations: broken},
		request{pattern: "POST /v1/dead-letters/{sink}/replay", status: 404, sink: "none", body: `{"all":true}`},
		request{pattern: "POST /v1/dead-letters/{sink}/replay", status: 500, body: `{"all":true}`, operations: broken},
		request{pattern: "POST /v1/dead-letters/{sink}/drop", status: 404, sink: "none", body: `{"all":true}`},
		request{pattern: "POST /v1/dead-letters/{sink}/drop", status: 500, body: `{"all":true}`, operations: broken},
		request{pattern: "POST /v1/sinks/{sink}/pause", status: 404, sink: "none"},
		request{pattern: "POST /v1/sinks/{sink}/pause", status: 500, operations: broken},
		request{pattern: "POST /v1/sinks/{sink}/resume", status: 404, sink: "none"},
		request{pattern: "POST /v1/sinks/{sink}/resume", status: 500, operations: broken},
		request{pattern: "POST /v1/sinks/{sink}/retry", status: 404, sink: "none"},
		request{pattern: "POST /v1/sinks/{sink}/retry", status: 409, operations: paused},
		request{pattern: "POST /v1/sinks/{sink}/test", status: 404, sink: "none"},
		request{pattern: "POST /v1/sinks/{sink}/test", status: 409, operations: paused},
		request{pattern: "POST /v1/sinks/{sink}/skip", status: 404, sink: "none", body: `{"to":"j-1"}`},
		request{pattern: "POST /v1/sinks/{sink}/skip", status: 409, body: `{"to":"j-1"}`, operations: paused},
		request{pattern: "POST /v1/sinks/{sink}/skip", status: 413, body: `{"to":"` + strings.Repeat("x", maxSkipBody) + `"}`},
		request{pattern: "POST /v1/sinks/{sink}/skip", status: 500, body: `{"to":"j-1"}`, operations: broken},
	)
}

// separately are the answers that tests of their own cause.
var separately = []string{
	"GET /debug/pprof/profile 409",            // TestOneProfileOfTheCPUTimeIsWrittenAtOnce
	"GET /v1/events 503",                      // TestTooManyReadersAreDocumented
	"GET /v1/dead-letters/{sink} 500",         // TestAnErrorBeforeTheFirstLetterIsDocumented
	"POST /v1/dead-letters/{sink}/replay 413", // TestALongBodyIsRefusedAtOnce
	"POST /v1/dead-letters/{sink}/drop 413",   // the same
}

func TestEachAnswerIsDocumented(t *testing.T) {
	d, seen := document(t), map[string]bool{}
	for _, answer := range separately {
		seen[answer] = true
	}
	sockets := map[filled]*http.Client{}
	for _, r := range requests() {
		c := sockets[r.operations]
		if c == nil {
			c = clientOf(listen(t, r.operations))
			sockets[r.operations] = c
		}
		status, contentType, body := r.send(t, c)
		if status != r.status {
			t.Errorf("%+v: status %d: %s", r, status, body)
			continue
		}
		if err := d.Check(d.Operation(r.pattern), status, contentType, body); err != nil {
			t.Error(err)
		}
		seen[fmt.Sprint(r.pattern, " ", status)] = true
	}
	for _, o := range d.Operations {
		for _, status := range o.Statuses {
			if answer := fmt.Sprint(o.Pattern, " ", status); !seen[answer] {
				t.Errorf("no request has the documented answer %s", answer)
			}
		}
	}
}

// clientOf returns a client of a socket.
func clientOf(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
}

// send sends a request over the socket, or as another user to the handler of the socket.
func (r *request) send(t *testing.T, c *http.Client) (status int, contentType string, body []byte) {
	t.Helper()
	route := route{pattern: r.pattern}
	method, path := route.example()
	if r.sink != "" {
		path = strings.Replace(path, "/s", "/"+r.sink, 1)
	}
	if r.id != "" {
		path = strings.Replace(path, "/j-1", "/"+r.id, 1)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://genltestd"+path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	req.URL.RawQuery = r.query
	if r.as != 0 {
		w, log := httptest.NewRecorder(), slog.New(slog.DiscardHandler)
		h := socketHandler(r.operations, newAccess(r.operations.Operators, log), log)
		h.ServeHTTP(w, as(req, unixsocket.Peer{UID: r.as}))
		return w.Code, w.Header().Get("Content-Type"), w.Body.Bytes()
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), body
}

// The comparison fails if the document lacks a route, a member, a status or a content type, or
// describes more.
func TestTheComparisonFindsDifferences(t *testing.T) {
	text, err := os.ReadFile(documentPath)
	if err != nil {
		t.Fatal(err)
	}
	served, c := routes(ten{}, slog.New(slog.DiscardHandler)), clientOf(listen(t, filled{}))
	for name, change := range map[string][2]string{
		"no route":         {"  /v1/reload:\n    post:", "  /v1/other:\n    post:"},
		"no parameter":     {"- name: follow", "- name: following"},
		"another access":   {"x-access: operator\n      requestBody: {$ref", "x-access: read\n      requestBody: {$ref"},
		"no body":          {"requestBody: {$ref: \"#/components/requestBodies/Selection\"}\n", "x-body: none\n"},
		"no member":        {"        pid: {type: integer, minimum: 1}\n", ""},
		"nested member":    {"        le_seconds: {type: number}\n", ""},
		"missing member":   {"[version, pid,", "[version, uid, pid,"},
		"another type":     {"pid: {type: integer", "pid: {type: string"},
		"no word":          {"failing, paused]", "failing]"},
		"no status":        {"\"200\":\n          description: The state\n", "\"201\":\n          description: The state\n"},
		"another content":  {"{application/json: {schema: {$ref: \"#/components/schemas/Status\"}}}", "{text/plain: {schema: {type: string}}}"},
		"no kind of lines": {"                  - {$ref: \"#/components/schemas/Missed\"}\n", ""},
	} {
		changed := strings.Replace(string(text), change[0], change[1], 1)
		d, err := apidoc.Parse([]byte(changed))
		if err != nil || changed == string(text) {
			t.Fatalf("%s: the document is not changed: %v", name, err)
		}
		found := unlisted(d, served) != ""
		for _, pattern := range []string{"GET /v1/status", "GET /v1/events"} {
			r := request{pattern: pattern}
			status, contentType, body := r.send(t, c)
			found = found || d.Check(d.Operation(pattern), status, contentType, body) != nil
		}
		if !found {
			t.Errorf("%s: no difference", name)
		}
	}
	if err := document(t).Check(document(t).Operation("GET /v1/status"), 200, "application/json", []byte(`{"version":"1"}`)); err == nil {
		t.Error("an incomplete status: no difference")
	}
}

func TestAnErrorBeforeTheFirstLetterIsDocumented(t *testing.T) {
	d := document(t)
	w, _ := ask(t, ten{bad: 1}, http.MethodGet, "/v1/dead-letters/s", "")
	err := d.Check(d.Operation("GET /v1/dead-letters/{sink}"), w.Code, w.Header().Get("Content-Type"), w.Body.Bytes())
	if err != nil || w.Code != http.StatusInternalServerError {
		t.Error(w.Code, err)
	}
}

// A schema that rejects a valid body, or accepts an invalid one, is of no use to a client.
func TestTheServerAcceptsTheDocumentedBodies(t *testing.T) {
	d := document(t)
	for pattern, bodies := range map[string][]string{
		"PUT /v1/log-level": {
			`{"level":"debug"}`, `{"level":""}`, `{"level":"all"}`, `{"level":7}`, `{}`, `[]`, `null`, `{"level":"debug","configured":"info"}`,
		},
		"POST /v1/dead-letters/{sink}/replay": {
			`{"all":true}`, `{"all":false}`, `{"ids":["j-1"]}`, `{"ids":[]}`, `{"all":true,"ids":[]}`, `{"all":false,"ids":["a","b"]}`,
			`{"all":true,"ids":["j-1"]}`, `{"all":1}`, `{"ids":"j-1"}`, `{"ids":[1]}`, `{"every":true}`, `{}`, `[]`, `null`, `"all"`,
		},
		"POST /v1/sinks/{sink}/skip": {
			`{"all":true}`, `{"all":false}`, `{"to":"j-1"}`, `{"to":""}`, `{"until":"2026-01-02T03:04:05Z"}`, `{"until":"yesterday"}`,
			`{"all":true,"dry_run":true}`, `{"all":true,"to":"j-1"}`, `{"to":"j-1","until":"2026-01-02T03:04:05Z"}`, `{"to":17}`,
			`{"dry_run":true}`, `{"every":true}`, `{}`, `[]`, `null`,
		},
	} {
		accepted := 0
		for _, body := range bodies {
			route := route{pattern: pattern}
			method, path := route.example()
			w, message := ask(t, filled{}, method, path, body)
			if err := d.CheckRequest(d.Operation(pattern), []byte(body)); (err == nil) != (w.Code == http.StatusOK) {
				t.Errorf("%s %s: status %d %s, schema: %v", pattern, body, w.Code, message, err)
			}
			if w.Code == http.StatusOK {
				accepted++
			}
		}
		if accepted == 0 || accepted == len(bodies) {
			t.Errorf("%s: %d of %d bodies are accepted", pattern, accepted, len(bodies))
		}
	}
}

func TestTheServerAcceptsTheDocumentedParameters(t *testing.T) {
	d := document(t)
	o := d.Operation("GET /v1/events")
	for _, c := range []struct {
		name, text string
		value      any
	}{
		{"limit", "0", 0},
		{"limit", "100000", 100000},
		{"limit", "100001", 100001},
		{"limit", "-1", -1},
		{"limit", "99999999999999999999", 1e20},
		{"limit", "1.5", 1.5},
		{"limit", "x", "x"},
		{"follow", "true", true},
		{"follow", "false", false},
		{"follow", "1", 1},
		{"follow", "yes", "yes"},
		{"since", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"},
		{"since", "2026-01-02T03:04:05.5%2B01:00", "2026-01-02T03:04:05.5+01:00"},
		{"since", "2026-01-02", "2026-01-02"},
		{"since", "yesterday", "yesterday"},
		{"sink", "s", "s"},
		{"filter", "true", "true"},
		{"from", "j-1", "j-1"},
	} {
		code := http.StatusOK
		if d.CheckParameter(o, c.name, c.value) != nil {
			code = http.StatusBadRequest
		}
		if c.text == "true" && c.name == "follow" {
			continue // TestTooManyReadersAreDocumented
		}
		w, message := ask(t, filled{}, http.MethodGet, "/v1/events?"+c.name+"="+c.text, "")
		if w.Code != code || code == http.StatusBadRequest && !strings.HasPrefix(message, c.name+": ") {
			t.Errorf("%s=%s: %d %q, and the schema has %d", c.name, c.text, w.Code, message, code)
		}
	}
}

func TestTooManyReadersAreDocumented(t *testing.T) {
	d, c := document(t), clientOf(listen(t, filled{}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range maxTails {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://genltestd/v1/events?follow=true", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		begin := make([]byte, len(filledEvent))
		if _, err := io.ReadFull(resp.Body, begin); err != nil || !bytes.Equal(begin, []byte(filledEvent)) {
			t.Fatalf("%q, %v", begin, err)
		}
	}
	r := request{pattern: "GET /v1/events"}
	status, contentType, body := r.send(t, c)
	if err := d.Check(d.Operation(r.pattern), status, contentType, body); err != nil || status != http.StatusServiceUnavailable {
		t.Error(status, err)
	}
	cancel()
	poll.Until(t, "a free stream", func() bool { status, _, _ := r.send(t, c); return status == http.StatusOK })
}

// The server refuses a long body before it arrives.
func TestALongBodyIsRefusedAtOnce(t *testing.T) {
	d, path := document(t), listen(t, filled{})
	for _, pattern := range []string{"POST /v1/dead-letters/{sink}/replay", "POST /v1/dead-letters/{sink}/drop"} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		route := route{pattern: pattern}
		_, target := route.example()
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: genltestd\r\nContent-Length: %d\r\n\r\n", target, maxSelection+1)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %v %s %s", pattern, err, resp.Status, body)
		}
		if err := d.Check(d.Operation(pattern), resp.StatusCode, resp.Header.Get("Content-Type"), body); err != nil {
			t.Error(err)
		}
	}
}
