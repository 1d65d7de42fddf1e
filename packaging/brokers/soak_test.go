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
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for !s.ended() {
		<-tick.C
		restart := s.broker.(cluster).killLeader(t)
		s.progress(1 + s.random.IntN(10_000))
		restart()
	}
	s.finish()
}
