// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"testing"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/faultproxy"
)

// A destination is a topic of a cluster. It breaks by lost connections, or by lost processes.
type destination struct {
	*cluster
	kill bool
}

func (d *destination) Stored(t *testing.T) (all []sinktest.StoredEvent) {
	t.Helper()
	for _, r := range d.consume(t, testTopic) {
		all = append(all, sinktest.ParseJSON(t, []byte(r.Payload)))
	}
	return all
}

func (d *destination) Break(t *testing.T) {
	t.Helper()
	if d.kill {
		d.Kill()
	} else {
		d.each((*faultproxy.Proxy).Cut)
	}
}

func (d *destination) Hang(t *testing.T) {
	t.Helper()
	d.Freeze()
	d.frozen = true
}

func (d *destination) Repair(t *testing.T) {
	t.Helper()
	switch {
	case d.frozen:
		d.Thaw()
		d.frozen = false
	case d.kill:
		d.Restart()
	default:
		d.each((*faultproxy.Proxy).Restore)
	}
}

func TestKind(t *testing.T) {
	for _, compression := range []string{"none", "zstd"} {
		t.Run(compression, func(t *testing.T) {
			if compression != "none" && testing.Short() {
				t.Skip("one compression is enough")
			}
			sinktest.Run(t, sinktest.Kind{Once: true, Hostile: 20_000, New: func(t *testing.T) (sink.Sink, sinktest.Destination) {
				d := &destination{cluster: startCluster(t, "-topic", testTopic+":3")}
				c := testConfig(d.cluster)
				c.Compression = compression
				return newSink(t, c), d
			}})
		})
	}
}

// The cluster of the test forgets its producers if it is killed, so a batch can arrive twice.
func TestKindWithKilledBrokers(t *testing.T) {
	if testing.Short() {
		t.Skip("restarts the brokers often")
	}
	sinktest.Run(t, sinktest.Kind{Hostile: 1000, New: func(t *testing.T) (sink.Sink, sinktest.Destination) {
		d := &destination{cluster: startCluster(t, "-topic", testTopic+":3"), kill: true}
		return newSink(t, testConfig(d.cluster)), d
	}})
}
