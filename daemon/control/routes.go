// SPDX-License-Identifier: Apache-2.0

package control

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// A route is a request that the server answers. docs/api.yaml describes each of them.
type route struct {
	pattern  string   // method and path, as of http.ServeMux
	query    []string // accepted parameters
	body     bool     // accepts a body
	operator bool     // requires an operator
	serve    http.HandlerFunc
}

// routes returns all routes. serve functions can rely on the checks of route.check.
func routes(operations Operations, log *slog.Logger) []route {
	d, e, s, k := deadLetters{operations, log}, newEvents(operations), settings{operations, log}, sinks{operations, log}
	return []route{
		{pattern: "GET /v1/status", serve: func(w http.ResponseWriter, _ *http.Request) { answerOne(w, operations.Status()) }},
		{pattern: "GET /v1/config", serve: yaml(s.Config)},
		{pattern: "GET /v1/config/files", serve: yaml(s.Files)},
		{pattern: "GET /v1/log-level", serve: func(w http.ResponseWriter, _ *http.Request) { answerOne(w, s.LogLevel()) }},
		{pattern: "PUT /v1/log-level", serve: s.setLogLevel, operator: true, body: true},
		{pattern: "GET /v1/metrics", serve: operations.Metrics().ServeHTTP},
		{pattern: "GET /debug/pprof/goroutine", serve: goroutines, operator: true},
		{pattern: "GET /debug/pprof/heap", serve: heap, operator: true},
		{pattern: "GET /debug/pprof/profile", serve: cpu, operator: true, query: []string{"seconds"}},
		{pattern: "GET /v1/dead-letters", serve: d.boxes},
		{pattern: "GET /v1/dead-letters/{sink}", serve: d.letters},
		{pattern: "GET /v1/dead-letters/{sink}/{id}", serve: d.letter},
		{pattern: "POST /v1/dead-letters/{sink}/replay", serve: d.change("replay", d.Replay), operator: true, body: true},
		{pattern: "POST /v1/dead-letters/{sink}/drop", serve: d.change("drop", d.Drop), operator: true, body: true},
		{pattern: "GET /v1/canary", serve: canary(operations.LastCanary)},
		{pattern: "POST /v1/canary", serve: canary(operations.RequestCanary), operator: true},
		{pattern: "GET /v1/events", serve: e.tail, query: []string{"sink", "filter", "from", "since", "limit", "follow"}},
		{pattern: "GET /v1/events/{id}", serve: e.explain, query: []string{"filter"}},
		{pattern: "POST /v1/sinks/{sink}/pause", serve: k.pause, operator: true},
		{pattern: "POST /v1/sinks/{sink}/resume", serve: k.resume, operator: true},
		{pattern: "POST /v1/sinks/{sink}/retry", serve: k.retry, operator: true},
		{pattern: "POST /v1/sinks/{sink}/test", serve: k.test, operator: true},
		{pattern: "POST /v1/sinks/{sink}/skip", serve: k.skip, operator: true, body: true},
		{pattern: "POST /v1/reload", serve: reload(operations, log), operator: true},
	}
}

// handler returns the handler of a route with its checks.
func (t *route) handler(a *access) http.HandlerFunc {
	method, _, _ := strings.Cut(t.pattern, " ")
	checked := func(w http.ResponseWriter, r *http.Request) {
		if err := t.check(r); err != nil {
			refuse(w, &api.Error{Status: http.StatusBadRequest, Message: err.Error()})
			return
		}
		t.serve(w, r)
	}
	if t.operator {
		checked = a.operator(checked)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method { // http.ServeMux also passes HEAD to the handler of GET
			unknownRequest(w, r)
			return
		}
		checked(w, r)
	}
}

// check rejects parameters that are unknown, repeated or malformed, and a body that the route
// does not accept.
func (t *route) check(r *http.Request) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fmt.Errorf("the query is malformed: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch {
		case !slices.Contains(t.query, name) && len(t.query) == 0:
			return fmt.Errorf("unknown parameter %.64q; the request does not accept parameters", name)
		case !slices.Contains(t.query, name):
			return fmt.Errorf("unknown parameter %.64q; write one of %s", name, strings.Join(t.query, ", "))
		case len(values[name]) > 1:
			return fmt.Errorf("%s: specified twice; write it once", name)
		}
	}
	if !t.body && r.ContentLength != 0 {
		return fmt.Errorf("body: the request does not accept a body")
	}
	return nil
}

// unknownRequest answers a request without a route.
func unknownRequest(w http.ResponseWriter, _ *http.Request) {
	refuse(w, &api.Error{
		Status:  http.StatusNotFound,
		Message: "the daemon does not know this request: it may be of another version than the client",
	})
}
