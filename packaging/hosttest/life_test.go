// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/internal/poll"
)

// Lists of families.
const (
	two   = "[{name: ethtool}, {name: mptcp_pm}]"
	three = "[{name: ethtool}, {name: netdev}, {name: mptcp_pm}]"
	four  = "[{name: ethtool}, {name: netdev}, {name: mptcp_pm}, {name: nlctrl}]"
)

// Three families multicast without a pause while the daemon is killed, restarted and reloaded.
// The service manager stores the sockets meanwhile.
func TestHostFamiliesLoseNothingWhileKilledRestartedAndReloaded(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		load := newLoad(t)
		listeners := []*listener{listen(t, "ethtool"), listen(t, "netdev"), listen(t, "mptcp_pm")}
		u := newUnit(t)
		u.configure(t, three)
		u.start(t)
		u.awaitReady(t)
		stop := load.run(t)
		for round := range rounds(8) {
			next, afterNext := four, three
			if round%2 == 1 {
				next, afterNext = three, four
			}
			// At any moment, also while it starts.
			time.Sleep(time.Duration(rand.Int64N(int64(200 * time.Millisecond))))
			u.kill(t)
			u.start(t)

			u.awaitReady(t)
			u.reload(t, next)

			// While it reloads.
			u.configure(t, afterNext)
			u.signal(t, syscall.SIGHUP)
			time.Sleep(time.Duration(rand.Int64N(int64(5 * time.Millisecond))))
			u.kill(t)
			u.start(t)

			u.awaitReady(t)
			u.stop(t)
			u.start(t)
		}
		u.awaitReady(t)
		stop()
		for family, a := range u.awaitAccounts(t, listeners) {
			t.Logf("%s: %+v", family, a)
			if a.lost != 0 || a.received == 0 {
				t.Errorf("%s: received %d, lost %d", family, a.received, a.lost)
			}
		}
		u.checkOrder(t, listeners)
	})
}

// When a reload removes a family, its socket and its metrics are removed too. Another reload adds
// them again. The other families lose nothing meanwhile.
func TestHostReloadRemovesAndAddsAFamily(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		load := newLoad(t)
		others := []*listener{listen(t, "ethtool"), listen(t, "mptcp_pm")}
		u := newUnit(t)
		u.configure(t, three)
		u.start(t)
		u.awaitReady(t)
		var want []string // events of netdev
		for round := range rounds(8) {
			before := accountOf(t, u.metrics(t), "netdev").received
			netdev := listen(t, "netdev")
			causeEvents(t, load, 200)
			poll.Until(t, "all events of netdev are received", func() bool {
				return accountOf(t, u.metrics(t), "netdev").received-before == netdev.count()
			})
			want = append(want, texts(t, "netdev", netdev.multicast())...)
			u.reload(t, two)
			if round%2 == 0 { // else the family is added again while it leaves
				poll.Until(t, "the socket and the metrics of netdev are removed", func() bool {
					isCounted := strings.Contains(u.metrics(t), `genltestd_subscribed{family="netdev"`)
					return !isCounted && !slices.Contains(u.manager.stored(t), "events.netdev")
				})
				causeEvents(t, load, 200)
			}
			u.reload(t, three)
		}
		for family, a := range u.awaitAccounts(t, others) {
			if a.lost != 0 {
				t.Errorf("%s: %+v", family, a)
			}
		}
		u.checkOrder(t, others)
		poll.Until(t, "the sink has the events of netdev", func() bool { return len(u.eventsOf(t, "netdev")) >= len(want) })
		if diff := cmp.Diff(want, u.eventsOf(t, "netdev")); diff != "" {
			t.Errorf("events of netdev (-want +got)\n%s", diff)
		}
	})
}
