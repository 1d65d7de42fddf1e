// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// soakEvents is a million, or the number in GENLTESTD_SOAK if it is greater than 1.
func soakEvents(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("GENLTESTD_SOAK"))
	if err != nil {
		t.Fatal(err)
	}
	if n == 1 {
		return 1_000_000
	}
	return n
}

// soak kills the leader of a cluster every ten seconds while a million events are delivered, and
// the process that delivers at random.
func soak(t *testing.T, k kind) {
	t.Helper()
	if os.Getenv("GENLTESTD_SOAK") == "" {
		t.Skip("only with GENLTESTD_SOAK")
	}
	s := newSession(t, &k, load{events: soakEvents(t), rate: 4000}, access{}, clientAccess{})
	s.kill = 5
	const interval = 10 * time.Second
	tick := time.NewTicker(interval)
	defer tick.Stop()
	kills, blocked := 0, 0
	for !s.ended() {
		<-tick.C
		restart := s.broker.(cluster).killLeader(t)
		// Two servers may be unable to elect a leader if one of them has not caught up yet.
		if kills++; !s.progressWithin(1+s.random.IntN(10_000), interval) {
			blocked++
		}
		restart()
		s.progress(1)
	}
	t.Logf("%d kills of the leader, %d of them without progress before the restart", kills, blocked)
	s.finish()
}
