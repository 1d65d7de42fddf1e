// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"syscall"
	"testing"
)

// rounds returns n, or less in the short form of a test.
func rounds(n int) int {
	if testing.Short() {
		return n / 4
	}
	return n
}

// The buffers are small, and the daemon is stopped for moments, so many events do not fit. The
// storm of one family does not affect another: each has its account.
func TestHostFamiliesCountOverrunsExactly(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		load := newLoad(t)
		listeners := []*listener{listen(t, "ethtool"), listen(t, "netdev"), listen(t, "nlctrl")}
		u := newUnit(t)
		u.configure(t, "[{name: ethtool, buffer: 32KiB}, {name: netdev, buffer: 16KiB}, {name: nlctrl}]")
		u.start(t)
		u.awaitReady(t)
		for range rounds(4) {
			u.signal(t, syscall.SIGSTOP)
			causeEvents(t, load, 500)
			u.signal(t, syscall.SIGCONT)
			causeEvents(t, load, 10_000)
		}
		accounts := u.awaitAccounts(t, listeners)
		t.Logf("%+v", accounts)
		u.checkOrder(t, listeners)
		for family, a := range accounts {
			if isQuiet := family == "nlctrl"; (a.lost == 0) != isQuiet || (a.received == 0) != isQuiet {
				t.Errorf("%s: received %d, lost %d", family, a.received, a.lost)
			}
		}
	})
}

// causeEvents causes at least so many events of ethtool, and events of netdev.
func causeEvents(t *testing.T, load *load, events int) {
	t.Helper()
	for n := 0; n < events; n += 75 {
		if err := load.settings(100); err != nil {
			t.Fatal(err)
		}
	}
	if err := load.devices(200); err != nil {
		t.Fatal(err)
	}
}
