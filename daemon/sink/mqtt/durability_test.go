// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"testing"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// absent starts a broker with a session whose subscriber is not connected, and delivers n events.
func absent(t *testing.T, n int, lines ...string) (*broker, *witness) {
	t.Helper()
	b := startBroker(t, lines...)
	w := watch(t, b.address)
	w.end()
	if m, err := newSink(t, configFor(b.address)).Deliver(t.Context(), sinktest.Events(1, n)); m != n || err != nil {
		t.Fatalf("accepted %d events, %v", m, err)
	}
	return b, w
}

// docs/sinks/mqtt.md describes the settings of the broker that these tests show.

func TestStoppedBrokerKeepsWhatItHasAcknowledged(t *testing.T) {
	b, w := absent(t, 500)
	b.Stop()
	b.Restart()
	w.again(t).await(t, 500)
}

func TestKilledBrokerLosesWhatItHasAcknowledged(t *testing.T) {
	b, w := absent(t, 500)
	b.Kill()
	b.Restart()
	w = w.again(t)
	if n, err := newSink(t, configFor(b.address)).Deliver(t.Context(), sinktest.Events(501, 1)); n != 1 || err != nil {
		t.Fatalf("accepted %d events, %v", n, err)
	}
	if got := sinktest.ParseJSON(t, w.await(t, 1)[0].Payload).ID; got != sinktest.Events(501, 1)[0].ID() {
		t.Errorf("the first event is %s", got)
	}
}

func TestFullQueueOfASubscriberDiscardsAcknowledgedEvents(t *testing.T) {
	b, w := absent(t, 500, "max_queued_messages 100")
	w = w.again(t)
	if n, err := newSink(t, configFor(b.address)).Deliver(t.Context(), sinktest.Events(501, 1)); n != 1 || err != nil {
		t.Fatalf("accepted %d events, %v", n, err)
	}
	last := sinktest.Events(501, 1)[0].ID()
	for n := 1; ; n++ {
		if all := w.await(t, n); sinktest.ParseJSON(t, all[n-1].Payload).ID == last {
			if n < 100 || n > 200 {
				t.Errorf("the subscriber received %d events", n)
			}
			return
		}
	}
}

// At its limit, mosquitto refuses events and connections, and keeps those that it has acknowledged.
func TestFullMemoryOfTheBroker(t *testing.T) {
	skipInShort(t)
	b := startBroker(t, "memory_limit 2000000")
	w := watch(t, b.address)
	w.end()
	l := newLoad(newSink(t, configFor(b.address)))
	l.fail(t, 5)
	b.Stop()
	b.configure(t)
	b.Restart()
	w = w.again(t)
	l.accept(t, 500)
	l.check(t, w)
}
