// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"testing"
	"time"

	"github.com/genltestd/genltestd/internal/faultproxy"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/packaging/simhost"
)

// underLoad keeps the sink busy.
var underLoad = load{waiting: 2000}

// run tests a kind in all scenarios. In short it only delivers a few events.
func run(t *testing.T, k kind) {
	if testing.Short() {
		newSession(t, &k, load{events: 500, rate: 5000}, access{}, clientAccess{}).finish()
		return
	}
	for _, scenario := range []struct {
		name string
		run  func(t *testing.T, k *kind)
	}{
		{"killed", brokerIsKilled},
		{"cut", networkIsCut},
		{"lost replies", repliesAreLost},
		{"slow", networkIsSlow},
		{"silent", brokerIsSilent},
		{"full", brokerIsFull},
		{"credentials", credentialsAreWrong},
		{"certificates", certificatesExpire},
		{"leader", leaderIsKilled},
		{"dropped", eventsAreDropped},
		{"refused", eventsAreRefused},
	} {
		t.Run(scenario.name, func(t *testing.T) {
			if reason := k.skip[scenario.name]; reason != "" {
				t.Skip(reason)
			}
			t.Parallel() // most of the time is waiting
			scenario.run(t, &k)
		})
	}
}

// plain is a session without credentials and TLS.
func plain(t *testing.T, k *kind) *session {
	t.Helper()
	return newSession(t, k, underLoad, access{}, clientAccess{})
}

func brokerIsKilled(t *testing.T, k *kind) {
	s := plain(t, k)
	for range 3 {
		s.progress(700)
		s.broker.kill()
		s.awaitFailure()
		s.broker.restart()
	}
	s.finish()
}

// each applies a fault to all proxies.
func (s *session) each(fault func(*faultproxy.Proxy)) {
	for _, p := range s.proxies {
		fault(p)
	}
}

func networkIsCut(t *testing.T, k *kind) {
	s := plain(t, k)
	for range 3 {
		s.progress(400)
		s.each((*faultproxy.Proxy).Reset) // in the middle of a batch
		s.progress(400)
		s.each((*faultproxy.Proxy).Cut)
		s.awaitFailure()
		s.each((*faultproxy.Proxy).Restore)
	}
	s.finish()
}

// The broker has stored events whose acknowledgements are lost.
func repliesAreLost(t *testing.T, k *kind) {
	s := plain(t, k)
	for range 3 {
		s.progress(700)
		s.each((*faultproxy.Proxy).DropReplies)
		s.awaitFailure()
		s.each((*faultproxy.Proxy).Restore)
	}
	s.finish()
}

func networkIsSlow(t *testing.T, k *kind) {
	s := plain(t, k)
	s.each(func(p *faultproxy.Proxy) { p.Delay(20 * time.Millisecond) })
	s.progress(1000)
	s.each(func(p *faultproxy.Proxy) { p.Throttle(1 << 20) })
	s.progress(1000)
	s.each((*faultproxy.Proxy).Restore)
	s.finish()
}

func brokerIsSilent(t *testing.T, k *kind) {
	s := plain(t, k)
	s.progress(700)
	s.broker.freeze()
	s.awaitFailure()
	s.broker.thaw()
	s.progress(700)
	s.each((*faultproxy.Proxy).Hang)
	s.awaitFailure()
	s.each((*faultproxy.Proxy).Restore)
	s.finish()
}

func brokerIsFull(t *testing.T, k *kind) {
	s := plain(t, k)
	l, ok := s.broker.(limiter)
	if !ok {
		t.Skip("the broker has no limit")
	}
	s.progress(1000)
	l.limit(t)
	s.awaitFailure()
	l.unlimit(t)
	s.finish()
}

// Delivery drops events by max_age while their messages are in flight: the broker has stored them
// without an acknowledgement, or does not receive them. The process is not killed, because its
// counters would be lost.
func eventsAreDropped(t *testing.T, k *kind) {
	aged := *k
	aged.keys += "\nmax_age: 3s"
	s := plain(t, &aged)
	s.kill, s.drops = 0, true
	for _, fault := range []func(*faultproxy.Proxy){(*faultproxy.Proxy).DropReplies, (*faultproxy.Proxy).Cut} {
		s.progress(1000)
		s.each(fault)
		before := s.counters().Dropped
		poll.Until(t, "events are dropped", func() bool { return s.counters().Dropped > before })
		s.each((*faultproxy.Proxy).Restore)
	}
	s.finish()
}

// refuseMarked makes the sink refuse each marked event, because its template fails.
const refuseMarked = "\nenvelope: template\ntemplate: '" +
	`{{if ne (print (replace "` + simhost.Mark + `" "" .Message)) (print .Message)}}{{call .}}{{end}}{{.Message}}'`

// Events are refused permanently while the messages of others are in flight, whose acknowledgements are
// lost or whose connections are cut.
func eventsAreRefused(t *testing.T, k *kind) {
	refusing := *k
	refusing.keys += refuseMarked
	s := plain(t, &refusing)
	s.refuses = true
	for _, fault := range []func(*faultproxy.Proxy){(*faultproxy.Proxy).DropReplies, (*faultproxy.Proxy).Cut} {
		s.progress(700)
		s.each((*faultproxy.Proxy).Reset)
		s.progress(700)
		s.each(fault)
		s.awaitFailure()
		s.each((*faultproxy.Proxy).Restore)
	}
	s.finish()
}

func leaderIsKilled(t *testing.T, k *kind) {
	s := plain(t, k)
	c, ok := s.broker.(cluster)
	if !ok {
		t.Skip("the broker is one process")
	}
	for range 2 {
		s.progress(1000)
		restart := c.killLeader(t)
		s.progress(500)
		restart()
	}
	s.finish()
}
