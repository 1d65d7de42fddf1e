// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// A process that is killed leaves batches that the servers have received in part. The next one
// knows only which events were accepted before.
func TestOrderWhenProcessesEndAndLeadersStepDown(t *testing.T) {
	if testing.Short() {
		t.Skip("takes several elections")
	}
	c := startCluster(t, nil)
	const n = 20_000
	done := make(chan int)
	go func() { done <- c.deliverByManyProcesses(t, n) }()
	for faults := 0; ; faults++ {
		select {
		case processes := <-done:
			t.Logf("%d processes, %d faults", processes, faults)
			if processes < 5 || faults == 0 {
				t.Error("these are too few")
			}
			checkExactlyOnce(t, stored(t, c.js), n)
			return
		case <-time.After(rand.N(500 * time.Millisecond)):
			c.stepDown()
		}
	}
}

// deliverByManyProcesses replaces the sink, without a warning, again and again.
func (c *cluster) deliverByManyProcesses(t *testing.T, n int) (processes int) {
	for accepted := 0; accepted < n; processes++ {
		s := newSink(t, config(c.addresses()...))
		life, end := context.WithTimeout(t.Context(), 20*time.Millisecond+rand.N(500*time.Millisecond))
		for accepted < n && life.Err() == nil {
			batch := sinktest.Events(accepted+1, min(1000, n-accepted))
			m, err := s.Deliver(life, batch)
			accepted += m
			if err != nil {
				time.Sleep(rand.N(20 * time.Millisecond))
			}
		}
		end()
		s.Close()
	}
	return processes
}
