// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
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
	const processes, faults = 10, 5
	var enough atomic.Bool
	done := make(chan int)
	go func() { done <- c.deliverByManyProcesses(t, processes, &enough) }()
	for range faults {
		time.Sleep(rand.N(500 * time.Millisecond)) // at any moment
		c.stepDown()
	}
	enough.Store(true)
	n := <-done
	checkExactlyOnce(t, stored(t, c.js), n)
}

// deliverByManyProcesses replaces the sink, without a warning, again and again: at least n times,
// for some thousand events, and until enough is set. It returns the number of stored events.
func (c *cluster) deliverByManyProcesses(t *testing.T, n int, enough *atomic.Bool) (accepted int) {
	for processes := 0; processes < n || accepted < 10_000 || !enough.Load(); processes++ {
		s := newSink(t, config(c.addresses()...))
		life, end := context.WithTimeout(t.Context(), 20*time.Millisecond+rand.N(500*time.Millisecond))
		for life.Err() == nil {
			m, err := s.Deliver(life, sinktest.Events(accepted+1, 1000))
			accepted += m
			if err != nil {
				time.Sleep(rand.N(20 * time.Millisecond))
			}
		}
		end()
		s.Close()
	}
	deliver(t, newSink(t, config(c.addresses()...)), sinktest.Events(accepted+1, 1000)) // the stream can have some of these
	return accepted + 1000
}
