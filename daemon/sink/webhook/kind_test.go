// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// A receiver accepts events as a typical Go server does.
type receiver struct {
	t *testing.T

	mu       sync.Mutex
	stored   []sinktest.StoredEvent
	requests []*http.Request // without their bodies
	broken   bool
	failures int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	text, err := decoded(req)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, req)
	if r.broken {
		r.fail(w)
		return
	}
	for _, e := range split(r.t, req.Header.Get("Content-Type"), text) {
		r.stored = append(r.stored, sinktest.ParseJSON(r.t, e))
	}
}

// fail answers with a different failure each time.
func (r *receiver) fail(w http.ResponseWriter) {
	r.failures++
	switch r.failures % 3 {
	case 0:
		w.WriteHeader(http.StatusServiceUnavailable)
	case 1:
		panic(http.ErrAbortHandler) // the connection ends without an answer
	case 2:
		w.WriteHeader(http.StatusUnauthorized)
	}
}

func decoded(req *http.Request) ([]byte, error) {
	switch req.Header.Get("Content-Encoding") {
	case "gzip":
		z, err := gzip.NewReader(req.Body)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(z)
	case "zstd":
		z, err := zstd.NewReader(req.Body)
		if err != nil {
			return nil, err
		}
		defer z.Close()
		return io.ReadAll(z)
	}
	return io.ReadAll(req.Body)
}

func split(t *testing.T, contentType string, text []byte) (events [][]byte) {
	if contentType == "application/x-ndjson" {
		for line := range bytes.Lines(text) {
			events = append(events, line)
		}
		return events
	}
	if !bytes.HasPrefix(text, []byte("[")) {
		return [][]byte{text}
	}
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		t.Errorf("no JSON array: %v: %.200q", err, text)
	}
	for _, e := range list {
		events = append(events, e)
	}
	return events
}

func (r *receiver) Stored(*testing.T) []sinktest.StoredEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stored
}

func (r *receiver) set(broken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = broken
}

func (r *receiver) Break(*testing.T)  { r.set(true) }
func (r *receiver) Repair(*testing.T) { r.set(false) }

func newReceiver(t *testing.T) (*receiver, string) {
	r := &receiver{t: t}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return r, server.URL
}

func newSink(t *testing.T, c Config) *Sink {
	t.Helper()
	return newSinkOf(t, c, sink.Env{})
}

// newSinkOf returns a sink that writes JSON, unless env has another encoder.
func newSinkOf(t *testing.T, c Config, env sink.Env) *Sink {
	t.Helper()
	if env.Encoder == nil {
		env.Encoder = event.JSON{}
	}
	s, err := New(defaulted(c), env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// defaulted returns c with the defaults of the keys that have a word.
func defaulted(c Config) *Config {
	c.Method = cmp.Or(c.Method, http.MethodPost)
	c.Batch = cmp.Or(c.Batch, batchArray)
	c.Compression = cmp.Or(c.Compression, compressionNone)
	return &c
}

func TestKind(t *testing.T) {
	const token, path = "canary-token-4711", "/canary-path-4711"
	for _, tt := range []struct {
		name    string
		config  Config
		hostile int
	}{
		{"lines", Config{Batch: batchLines}, 100_000},
		{"array", Config{Batch: batchArray}, 5000},
		{"lines, gzip", Config{Batch: batchLines, Compression: compressionGzip}, 5000},
		{"array, zstd", Config{Batch: batchArray, Compression: compressionZstd}, 5000},
		{"single", Config{Batch: batchNone}, 2000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sinktest.Run(t, sinktest.Kind{
				Hostile: tt.hostile, Secrets: []string{token, path[1:]},
				New: func(t *testing.T) (sink.Sink, sinktest.Destination) {
					r, url := newReceiver(t)
					c := tt.config
					c.URL, c.Bearer = value.Inline(url+path), value.Inline(token)
					return newSink(t, c), r
				},
			})
		})
	}
}
