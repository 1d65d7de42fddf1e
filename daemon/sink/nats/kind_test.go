// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// A destination is a stream of a real server.
type destination struct {
	*server
	js     jetstream.JetStream
	frozen bool
}

func (d *destination) Stored(t *testing.T) (all []sinktest.StoredEvent) {
	t.Helper()
	for _, m := range stored(t, d.js) {
		all = append(all, sinktest.ParseJSON(t, m.Data))
	}
	return all
}

func (d *destination) Break(t *testing.T) { t.Helper(); d.Kill() }

func (d *destination) Repair(t *testing.T) {
	t.Helper()
	if d.frozen {
		d.Thaw()
		d.frozen = false
		return
	}
	d.Restart()
}

func (d *destination) Hang(t *testing.T) { t.Helper(); d.Freeze(); d.frozen = true }

func TestKind(t *testing.T) {
	for name, batched := range map[string]bool{"batches": true, "one at a time": false} {
		t.Run(name, func(t *testing.T) {
			hostile := 20_000
			if !batched {
				hostile = 2000
			}
			sinktest.Run(t, sinktest.Kind{Once: true, Hostile: hostile, New: func(t *testing.T) (sink.Sink, sinktest.Destination) {
				d := &destination{server: startServer(t, "")}
				_, d.js = client(t, string(d.url()), nats.Timeout(time.Second))
				createStream(t, d.js, func(c *jetstream.StreamConfig) { c.AllowBatchPublish = batched })
				return newSink(t, config(d.url())), d
			}})
		})
	}
}
