// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// One operation is a batch of 500 events to a server in the same process.
func BenchmarkDeliver(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // the client's error
	}))
	defer server.Close()
	for name, c := range map[string]Config{
		"array": {}, "lines": {Batch: batchLines}, "gzip": {Compression: compressionGzip}, "zstd": {Compression: compressionZstd},
		"signed": {SigningSecrets: []value.Secret{value.Inline(oldSecret)}},
	} {
		b.Run(name, func(b *testing.B) {
			c.URL = value.Inline(server.URL)
			s, err := New(defaulted(c), sink.Env{Encoder: event.JSON{}})
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
	for _, batch := range []string{batchArray, batchLines} {
		b, err := newBody(defaulted(Config{Batch: batch}), event.JSON{})
		if err != nil {
			t.Fatal(err)
		}
		events := sinktest.Events(1, 500)
		if got := testing.AllocsPerRun(20, func() { _, _, _ = b.many(events) }); got > 2 { // JSON writes every event
			t.Errorf("%s: %v allocations", batch, got)
		}
	}
}
