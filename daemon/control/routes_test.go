// SPDX-License-Identifier: Apache-2.0

package control

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/unixsocket"
)

// ask sends a request of root, and returns the answer and the message of its error.
func ask(t *testing.T, operations Operations, method, path, body string) (*httptest.ResponseRecorder, string) {
	t.Helper()
	w, log := httptest.NewRecorder(), slog.New(slog.DiscardHandler)
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	socketHandler(operations, newAccess(operations.Operators, log), log).ServeHTTP(w, as(r, unixsocket.Peer{UID: 0}))
	var refused api.Error
	if w.Code != http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &refused); err != nil || refused.Message == "" {
			t.Fatalf("%s %s: %d %q: %v", method, path, w.Code, w.Body, err)
		}
	}
	return w, refused.Message
}

// method and path of the examples of a route.
func (t *route) example() (method, path string) {
	method, path, _ = strings.Cut(t.pattern, " ")
	return method, strings.NewReplacer("{sink}", "s", "{id}", "j-1").Replace(path)
}

func TestEachRouteRejectsUnknownParametersAndBodies(t *testing.T) {
	for _, route := range routes(ten{}, slog.New(slog.DiscardHandler)) {
		method, path := route.example()
		rejected := map[string]string{
			"?sort=up": `unknown parameter "sort"; `,
			"?a=%zz":   "the query is malformed: ",
			"?a=1;b=2": "the query is malformed: ",
		}
		for _, name := range route.query {
			rejected["?"+name+"=1&"+name+"=1"] = name + ": specified twice"
		}
		for query, want := range rejected {
			if w, message := ask(t, ten{}, method, path+query, ""); w.Code != http.StatusBadRequest || !strings.HasPrefix(message, want) {
				t.Errorf("%s %s%s: %d %q, want %q", method, path, query, w.Code, message, want)
			}
		}
		if w, message := ask(t, ten{}, method, path, "{"); w.Code != http.StatusBadRequest || !strings.Contains(message, "body") {
			t.Errorf("%s %s with a body: %d %q", method, path, w.Code, message)
		}
		if w, _ := ask(t, ten{}, http.MethodHead, path, ""); w.Code != http.StatusNotFound {
			t.Errorf("HEAD %s: %d", path, w.Code)
		}
	}
}
