// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"testing"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// Includes UDP: the server's receive buffer is larger than a batch.
func TestKind(t *testing.T) {
	for _, server := range servers() {
		t.Run(server.name, func(t *testing.T) {
			hostile := 5_000
			if server.name == "tcp" {
				hostile = 100_000
			}
			sinktest.Run(t, sinktest.Kind{Hostile: hostile, New: func(t *testing.T) (sink.Sink, sinktest.Destination) {
				destination, config := server.start(t)
				destination.sink = &sinktest.Counter{Sink: newSink(config)}
				t.Cleanup(func() { destination.sink.Close() })
				return destination.sink, destination
			}})
		})
	}
}
