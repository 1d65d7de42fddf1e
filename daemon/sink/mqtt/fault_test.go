// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/internal/faultproxy"
)

// proxied starts a broker with a witness, and a sink whose connections pass a proxy.
func proxied(t *testing.T, change func(*Config)) (*faultproxy.Proxy, *witness, *load) {
	t.Helper()
	skipInShort(t)
	b := startBroker(t, "max_inflight_messages 0")
	p := faultproxy.New(t, b.address)
	c := configFor(p.Addr())
	change(c)
	return p, watch(t, b.address), newLoad(newSink(t, c))
}

func unchanged(*Config) {}

func skipInShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes seconds")
	}
}

// during delivers events, and applies a fault when some of them have arrived.
func during(t *testing.T, w *witness, l *load, fault func()) {
	t.Helper()
	goal := len(w.received()) + 500
	var applied atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for len(w.received()) < goal && t.Context().Err() == nil {
			time.Sleep(time.Millisecond) // between two looks
		}
		fault()
		applied.Store(true)
	}()
	l.until(t, "the fault has begun", applied.Load)
	<-done
}

// At most the window of each connection arrives twice.
func TestNetworkIsCutUnderLoad(t *testing.T) {
	const cuts, window = 10, 50
	p, w, l := proxied(t, func(c *Config) { c.MaxInFlight = window })
	for range cuts {
		during(t, w, l, p.Cut)
		l.fail(t, 2)
		p.Restore()
	}
	l.accept(t, 500)
	if duplicates := l.check(t, w); duplicates > cuts*window {
		t.Errorf("%d duplicates", duplicates)
	}
}

func TestSessionContinuesAfterConnectionsAreReset(t *testing.T) {
	p, w, l := proxied(t, func(c *Config) { c.SessionExpiry = value.Duration(time.Hour) })
	for range 10 {
		during(t, w, l, p.Reset)
	}
	l.accept(t, 500)
	l.check(t, w)
}

// A reply that is lost is noticed by an attempt without acknowledgements.
func TestRepliesAreLost(t *testing.T) {
	p, w, l := proxied(t, unchanged)
	l.limit = 200 * time.Millisecond
	for range 3 {
		during(t, w, l, p.DropReplies)
		l.fail(t, 2)
		p.Restore()
	}
	l.accept(t, 500)
	if duplicates := l.check(t, w); duplicates == 0 {
		t.Error("no event arrived twice: the test has not lost an acknowledgement")
	}
}

func TestNetworkHangs(t *testing.T) {
	p, w, l := proxied(t, unchanged)
	l.limit = 200 * time.Millisecond
	for range 3 {
		during(t, w, l, p.Hang)
		l.fail(t, 3)
		p.Restore()
	}
	l.accept(t, 500)
	l.check(t, w)
}

// The window is used: in 2 seconds, 50 ms for each event alone would allow 40 events.
func TestManyEventsAreInFlightOnASlowNetwork(t *testing.T) {
	p, w, l := proxied(t, unchanged)
	l.accept(t, 1)
	p.Delay(25 * time.Millisecond)
	l.limit = 20 * time.Second
	l.accept(t, 2000)
	if duplicates := l.check(t, w); duplicates > 0 || l.failures > 0 {
		t.Errorf("%d duplicates, %d failures: %v", duplicates, l.failures, l.latest)
	}
}

func TestNetworkIsThrottled(t *testing.T) {
	p, w, l := proxied(t, unchanged)
	l.accept(t, 1)
	p.Throttle(100_000)
	l.limit = 100 * time.Millisecond // shorter than a batch needs: the acknowledged events count
	l.accept(t, 1000)
	l.check(t, w)
}

// A subscriber that keeps up, and may have any number of messages in flight, receives each event that
// is acknowledged. Its socket has room for a batch.
func TestBrokerIsKilledUnderLoad(t *testing.T) {
	skipInShort(t)
	b := startBroker(t, "max_inflight_messages 0")
	w, l := watch(t, b.address), newLoad(newSink(t, configFor(b.address)))
	l.pace = w
	for range 5 {
		during(t, w, l, func() { b.Signal(syscall.SIGKILL) })
		l.fail(t, 2)
		b.Restart()
		w.awaitSubscription(t)
	}
	l.accept(t, 500)
	l.check(t, w)
}

// A restart by the service manager saves the sessions. The messages in flight to the broker and
// from it can arrive twice.
func TestBrokerIsRestartedUnderLoad(t *testing.T) {
	skipInShort(t)
	const restarts, inFlight = 5, 20 // max_inflight_messages
	b := startBroker(t)
	w, l := watch(t, b.address), newLoad(newSink(t, configFor(b.address)))
	for range restarts {
		during(t, w, l, func() { b.Signal(syscall.SIGTERM) })
		l.fail(t, 1)
		b.Restart()
	}
	l.accept(t, 500)
	if duplicates := l.check(t, w); duplicates > restarts*2*inFlight {
		t.Errorf("%d duplicates", duplicates)
	}
}
