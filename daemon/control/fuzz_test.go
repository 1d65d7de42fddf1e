// SPDX-License-Identifier: Apache-2.0

package control

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/unixsocket"
)

// For any request, the answer is documented, is not 5xx, and names the parameter that is at fault.
func FuzzRequests(f *testing.F) {
	for i := range routes(filled{}, slog.New(slog.DiscardHandler)) {
		f.Add(i, "s", "j-1", "", []byte(nil))
		f.Add(i, "s", "j-1", "sink=a&sink=b", []byte(`{"all":true}`))
		f.Add(i, "..", "%2f\x00", "limit=100001&follow=2&filter=", []byte(`{"ids":["j-1"]} {}`))
		f.Add(i, "", "\xff/", "since=0000-01-01T00:00:00Z&from=99999999999999999999", []byte(`{"ids":[1,{}],"all":"x"}`))
		f.Add(i, "s", "j-1", "a=%zz;b&\n=", []byte(`{"level":"debug","configured":"info"}`))
		f.Add(i, "s", "j-1", "limit=1e400", []byte("[[[[\x00"))
	}
	d, log := document(f), slog.New(slog.DiscardHandler)
	served := routes(filled{}, log)
	handler := socketHandler(filled{}, newAccess(filled{}.Operators, log), log)
	f.Fuzz(func(t *testing.T, i int, sink, id, query string, body []byte) {
		if i < 0 || i >= len(served) {
			return
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // so that follow=true ends
		route := served[i]
		method, path, _ := strings.Cut(route.pattern, " ")
		path = strings.NewReplacer("{sink}", url.PathEscape(sink), "{id}", url.PathEscape(id)).Replace(path)
		r, err := http.NewRequestWithContext(ctx, method, "http://genltestd"+path, bytes.NewReader(body))
		if err != nil {
			return
		}
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, as(r, unixsocket.Peer{UID: 0}))
		if w.Code == http.StatusTemporaryRedirect || w.Code == http.StatusMovedPermanently || unknown(w) {
			return // the path is not clean, or is that of another route
		}
		if err := d.Check(d.Operation(route.pattern), w.Code, w.Header().Get("Content-Type"), w.Body.Bytes()); err != nil || w.Code >= 500 {
			t.Errorf("%s: %d: %v", route.pattern, w.Code, err)
		}
		if w.Code == http.StatusBadRequest && !namesParameter(t, &route, w.Body.Bytes()) {
			t.Errorf("%s: the error does not name a parameter: %s", route.pattern, w.Body)
		}
	})
}

// unknown reports whether the server does not know the request.
func unknown(w *httptest.ResponseRecorder) bool {
	return w.Code == http.StatusNotFound && strings.Contains(w.Body.String(), "does not know this request")
}

// namesParameter reports whether an error names what is at fault.
func namesParameter(t *testing.T, route *route, body []byte) bool {
	var refused api.Error
	if err := json.Unmarshal(body, &refused); err != nil {
		t.Error(err)
	}
	names := []string{"unknown parameter ", "the query is malformed: ", "body: ", "sink and filter exclude each other"}
	for _, name := range route.query {
		names = append(names, name+": ")
	}
	if route.pattern == "PUT /v1/log-level" {
		names = append(names, "not a level") // of the daemon
	}
	return slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(refused.Message, name) })
}
