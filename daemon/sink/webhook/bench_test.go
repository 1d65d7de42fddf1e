// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// One operation is a batch of 500 events to a server in the same process.
func BenchmarkDeliver(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // the client's error
	}))
	defer server.Close()
	for name, opts := range map[string]Options{
		"array": {}, "lines": {Batch: Lines}, "gzip": {Compression: Gzip}, "zstd": {Compression: Zstd},
		"signed": {SigningSecrets: []secret.Source{secret.Inline(oldSecret)}},
	} {
		b.Run(name, func(b *testing.B) {
			opts.URL, opts.Encoder, opts.Method = secret.Inline(server.URL), event.JSON{}, http.MethodPost
			s, err := New(opts)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			b.ReportAllocs()
			sinktest.Measure(b, s, 500)
		})
	}
}

// The cost of a request does not depend on its number of events.
func TestNoAllocationPerEvent(t *testing.T) {
	for name, batch := range map[string]Batch{"array": Array, "lines": Lines} {
		b, err := newBody(&Options{Encoder: event.JSON{}, Batch: batch})
		if err != nil {
			t.Fatal(err)
		}
		events := sinktest.Events(1, 500)
		if got := testing.AllocsPerRun(20, func() { _, _, _ = b.many(events) }); got > 2 { // JSON writes every event
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}
