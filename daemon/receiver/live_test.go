// SPDX-License-Identifier: Apache-2.0

package receiver_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/inbox"
	"github.com/genltestd/genltestd/daemon/kernel"
	"github.com/genltestd/genltestd/daemon/receiver"
	"github.com/genltestd/genltestd/internal/capabilities"
	"github.com/genltestd/genltestd/internal/fdstore"
	"github.com/genltestd/genltestd/internal/netdevices"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/syncbuffer"
	"github.com/genltestd/genltestd/metrics"
)

// The tests in this file receive events of the host's own kernel, in a network namespace.

var (
	netdev  = genl.Target{Family: "netdev", Groups: []string{"mgmt"}}
	ethtool = genl.Target{Family: "ethtool"}
)

// requireFamily skips the test if the host's kernel does not have a family.
func requireFamily(t *testing.T, target genl.Target) genl.FamilyIDs {
	t.Helper()
	registry, err := genl.Resolve(target)
	if err != nil {
		t.Fatal(err)
	}
	if registry.Family.ID == 0 {
		t.Skipf("the kernel does not have the family %s", target.Family)
	}
	return registry.Family
}

// A recording is a journal in memory that several receivers may share.
type recording struct {
	mu         sync.Mutex
	generation uint64
	events     []genl.Multicast
	gaps       []genl.Gap
}

func (j *recording) Recovered() uint64 { return 0 }

func (j *recording) Tail(func([]byte) bool) error { return nil }

func (j *recording) Append(generation *atomic.Uint64, _ time.Time, records [][]byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.generation++
	generation.Store(j.generation)
	for _, data := range records {
		if genl.IsGap(data) {
			gap, err := genl.DecodeGap(data)
			if err != nil {
				return err
			}
			j.gaps = append(j.gaps, gap)
			continue
		}
		m, err := genl.DecodeMulticast(slices.Clone(data))
		if err != nil {
			return err
		}
		j.events = append(j.events, m)
	}
	return nil
}

// count returns the number of events of a family by group.
func (j *recording) count(family string) map[string]int {
	j.mu.Lock()
	defer j.mu.Unlock()
	counts := map[string]int{}
	for _, m := range j.events {
		if m.Family == family {
			counts[m.Group]++
		}
	}
	return counts
}

// A live receiver receives from the host's kernel.
type live struct {
	*receiver.Receiver
	t       *testing.T
	journal *recording
	metrics *metrics.Reception
	log     *syncbuffer.Buffer
}

// newLive opens a receiver. The inbox is the same for all receivers of a family in dir.
func newLive(t *testing.T, k receiver.Kernel, target genl.Target, dir string, j *recording, bufferBytes int) live {
	t.Helper()
	box, fresh, err := inbox.Open(filepath.Join(dir, "inbox."+target.Family), genl.BatchBytes(target))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	var refusals []string
	for _, v := range genl.Refusals() {
		refusals = append(refusals, v.String())
	}
	l := live{t: t, journal: j, log: &syncbuffer.Buffer{}}
	l.metrics = metrics.NewReception(prometheus.NewRegistry(), metrics.ReceptionConfig{
		Family: target.Family, Group: metrics.AllGroups, Groups: target.Groups, Refusals: refusals,
	})
	l.Receiver, err = receiver.New(receiver.Options{
		Target: target, Kernel: k, Journal: j, Inbox: box, FreshInbox: fresh, Metrics: l.metrics,
		BufferBytes: bufferBytes, Log: slog.New(slog.NewTextHandler(l.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// run runs the receiver until the returned function is called, or the test ends.
func (l live) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		l.t.Helper()
		cancel()
		if err := <-done; err != nil {
			l.t.Error(err)
		}
	})
	l.t.Cleanup(stop)
	return stop
}

func (l live) lost(reason string) int {
	return int(testutil.ToFloat64(l.metrics.Lost.WithLabelValues(reason)))
}

// await waits until n events of a group were received.
func (l live) await(group string, n int) {
	l.t.Helper()
	poll.Until(l.t, fmt.Sprintf("%d events of the group %s", n, group), func() bool {
		return int(testutil.ToFloat64(l.metrics.Received.WithLabelValues(group))) == n
	})
}

func TestEventsOfTwoFamiliesAreReceivedWithTheirGroups(t *testing.T) {
	netdevices.EnterNamespace(t)
	ids, others := requireFamily(t, netdev), requireFamily(t, ethtool)
	devices, j, k := netdevices.Open(t), &recording{}, kernel.New(fdstore.New(t), nil, slog.New(slog.DiscardHandler))
	a := newLive(t, k, netdev, t.TempDir(), j, 1<<20)
	b := newLive(t, k, ethtool, t.TempDir(), j, 1<<20)
	for _, l := range []live{a, b} {
		if err := l.Fault(); err != nil || !l.Subscribed() {
			t.Fatalf("subscribed %v, %v", l.Subscribed(), err)
		}
		l.run()
	}
	ofNetdev, ofEthtool := listenTo(t, ids.Groups[0].ID), listenTo(t, others.Groups[0].ID)
	devices.AddPair("d0")
	devices.SetScatterGather(others.ID, "d0", false)
	devices.SetScatterGather(others.ID, "d0", true)
	devices.Remove("d0")
	wantNetdev, wantEthtool := ofNetdev.count(), ofEthtool.count()
	if wantNetdev == 0 || wantEthtool < 2 {
		t.Fatalf("%d events of netdev, %d of ethtool", wantNetdev, wantEthtool)
	}
	a.await("mgmt", wantNetdev)
	b.await("monitor", wantEthtool)
	if got := j.count("netdev"); len(got) != 1 || got["mgmt"] != wantNetdev {
		t.Errorf("events of netdev by group: %v", got)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, m := range j.events {
		if id := binary.NativeEndian.Uint16(m.Message[4:]); m.Family == "netdev" && id != ids.ID {
			t.Errorf("a message of the family %d, want %d", id, ids.ID)
		}
		if length := int(binary.NativeEndian.Uint32(m.Message)); length != len(m.Message) {
			t.Errorf("a message of %s has %d of %d bytes", m.Family, len(m.Message), length)
		}
	}
}

// A listener counts the messages of a group, independently of the daemon's code.
type listener struct {
	t  *testing.T
	fd int
}

func listenTo(t *testing.T, group uint32) listener {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	err = errors.Join(unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 256<<20),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, int(group)))
	if err != nil {
		t.Fatal(err)
	}
	return listener{t, fd}
}

// count returns how many messages are queued, and removes them.
func (l listener) count() (n int) {
	for {
		switch _, _, err := unix.Recvfrom(l.fd, nil, unix.MSG_DONTWAIT); {
		case errors.Is(err, unix.EAGAIN):
			return n
		case err != nil: // for example ENOBUFS, after a loss
			l.t.Fatal(err)
		}
		n++
	}
}

func TestReceivedPlusLostEqualsMulticastOfRealFamily(t *testing.T) {
	netdevices.EnterNamespace(t)
	ids := requireFamily(t, ethtool)
	devices := netdevices.Open(t)
	devices.AddPair("d0")
	k := kernel.New(fdstore.New(t), nil, slog.New(slog.DiscardHandler))
	dir, j := t.TempDir(), &recording{}
	const bufferBytes = 8 << 10 // for a few messages
	l := newLive(t, k, ethtool, dir, j, bufferBytes)
	independent := listenTo(t, ids.Groups[0].ID)
	storm := func(n int) {
		for i := range n {
			devices.SetScatterGather(ids.ID, "d0", i%2 == 1)
		}
	}
	storm(200) // while the receiver is stopped
	if err := l.CountDrops(); err != nil {
		t.Fatal(err)
	}
	before := l.lost(metrics.LostKernelBuffer)
	if before == 0 {
		t.Fatal("no event was lost: the buffer is too large for this test")
	}
	stop := l.run()
	storm(20_000) // while the receiver runs
	multicast := independent.count()
	stop()
	received, lost := int(l.Received()), l.lost(metrics.LostKernelBuffer)
	if received+lost != multicast {
		t.Errorf("received %d + lost %d != multicast %d", received, lost, multicast)
	}
	if received != j.count("ethtool")["monitor"] {
		t.Errorf("received %d, journaled %v", received, j.count("ethtool"))
	}
	if n := l.lost(metrics.LostNotSubscribed) + l.lost(metrics.LostUnexplained); n != 0 {
		t.Errorf("%d events without numbers are missing for another reason", n)
	}
	inGaps := 0
	for _, gap := range j.gaps {
		if gap.Family != "ethtool" || gap.Reason != metrics.LostKernelBuffer || gap.First != 0 {
			t.Errorf("gap %+v", gap)
		}
		inGaps += int(gap.Count)
	}
	if inGaps != lost {
		t.Errorf("%d events in gaps, %d lost", inGaps, lost)
	}
	t.Logf("received %d, lost %d, %d of them while nobody received", received, lost, before)
}

// TestStoredSocketOfFamilyIsAdopted: events queue in the stored socket while no process runs.
func TestStoredSocketOfFamilyIsAdopted(t *testing.T) {
	netdevices.EnterNamespace(t)
	ids := requireFamily(t, netdev)
	devices, store := netdevices.Open(t), fdstore.New(t)
	dir, j := t.TempDir(), &recording{}
	l := newLive(t, kernel.New(store, nil, slog.New(slog.DiscardHandler)), netdev, dir, j, 1<<20)
	independent := listenTo(t, ids.Groups[0].ID)
	stop := l.run()
	devices.AddPair("d0")
	multicast := independent.count()
	l.await("mgmt", multicast)
	stop()
	devices.AddPair("d1")
	multicast += independent.count()
	l = newLive(t, kernel.New(store, store.Files, slog.New(slog.DiscardHandler)), netdev, dir, j, 1<<20)
	l.run()
	l.await("mgmt", multicast)
	devices.Remove("d1")
	multicast += independent.count()
	l.await("mgmt", multicast)
	if blind := testutil.ToFloat64(l.metrics.Blind); blind != 0 {
		t.Errorf("blind for %v s although the socket was stored", blind)
	}
}

// TestTimeWithoutSocketIsBlind: nothing counts the events of a family without numbers that
// are multicast while no socket exists.
func TestTimeWithoutSocketIsBlind(t *testing.T) {
	netdevices.EnterNamespace(t)
	ids := requireFamily(t, netdev)
	devices, dir, j := netdevices.Open(t), t.TempDir(), &recording{}
	k := kernel.New(fdstore.New(t), nil, slog.New(slog.DiscardHandler))
	l := newLive(t, k, netdev, dir, j, 1<<20)
	l.run()()
	devices.AddPair("d0")
	l = newLive(t, k, netdev, dir, j, 1<<20)
	l.run()
	independent := listenTo(t, ids.Groups[0].ID)
	devices.Remove("d0")
	l.await("mgmt", independent.count())
	if blind := testutil.ToFloat64(l.metrics.Blind); blind == 0 {
		t.Error("the time without a socket is not blind")
	}
	for _, reason := range []string{metrics.LostKernelBuffer, metrics.LostNotSubscribed, metrics.LostUnexplained} {
		if n := l.lost(reason); n != 0 {
			t.Errorf("%d events are lost because of %s; nothing can count them", n, reason)
		}
	}
}

// TestGroupThatRequiresACapability: the fault names the capability, and other families are
// received.
func TestGroupThatRequiresACapability(t *testing.T) {
	mptcp := genl.Target{Family: "mptcp_pm", Groups: []string{"mptcp_pm_events"}}
	requireFamily(t, mptcp)
	k := kernel.New(fdstore.New(t), nil, slog.New(slog.DiscardHandler))
	capabilities.Without(t, func() {
		refused := newLive(t, k, mptcp, t.TempDir(), &recording{}, 1<<16)
		defer refused.Close()
		err := refused.Fault()
		if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "CAP_NET_ADMIN") || !strings.Contains(err.Error(), "mptcp_pm_events") {
			t.Errorf("the fault is %v", err)
		}
		if refused.Subscribed() || strings.Count(refused.log.String(), "CAP_NET_ADMIN") != 1 {
			t.Errorf("subscribed %v; log: %s", refused.Subscribed(), refused.log.String())
		}
		other := newLive(t, k, genl.Target{Family: "ethtool", Groups: []string{"monitor", "moniter"}}, t.TempDir(), &recording{}, 1<<16)
		defer other.Close()
		if err := other.Fault(); err == nil || !strings.Contains(err.Error(), `moniter; it has "monitor"`) || !other.Subscribed() {
			t.Errorf("subscribed %v, fault %v", other.Subscribed(), err)
		}
	})
}

func TestNotificationsAreEventsOfTheirOwnFamily(t *testing.T) {
	k := kernel.New(fdstore.New(t), nil, slog.New(slog.DiscardHandler))
	l := newLive(t, k, genl.Target{Family: "nlctrl"}, t.TempDir(), &recording{}, 1<<16)
	defer l.Close()
	if err := l.Fault(); err != nil || l.SubscribedTo() != unix.GENL_ID_CTRL {
		t.Errorf("subscribed to %d, %v", l.SubscribedTo(), err)
	}
}
