// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/internal/fakekernel"
	"github.com/genltestd/genltestd/internal/kernelmsg"
	"github.com/genltestd/genltestd/internal/syncbuffer"
	"github.com/genltestd/genltestd/metrics"
)

// The tests in this file are about families other than genltest.

var (
	devlink   = genl.Target{Family: "devlink"}
	firstIDs  = fakekernel.IDs(34, 9, "config", "health")
	secondIDs = fakekernel.IDs(35, 12, "health", "config") // after a reload of the module
)

// message returns a message of a family to a group.
func message(id uint16, group uint32, text string) genl.Message {
	return genl.Message{Data: kernelmsg.Message(id, 77, 1, []byte(text)), Group: group}
}

func registration(command uint8, family string, ids genl.FamilyIDs) genl.Message {
	groups := map[string]uint32{}
	for _, g := range ids.Groups {
		groups[g.Name] = g.ID
	}
	return genl.Message{Data: kernelmsg.Notification(command, family, ids.ID, groups)}
}

func appears(ids genl.FamilyIDs) genl.Message {
	return registration(unix.CTRL_CMD_NEWFAMILY, devlink.Family, ids)
}

func disappears(ids genl.FamilyIDs) genl.Message {
	return registration(unix.CTRL_CMD_DELFAMILY, devlink.Family, ids)
}

// kernelWith returns a kernel with devlink, which is not registered if ids is zero.
func kernelWith(ids genl.FamilyIDs) *fakeKernel {
	return &fakeKernel{Others: map[string]genl.FamilyIDs{devlink.Family: ids}, Queue: 100}
}

func (f fixture) register(ids genl.FamilyIDs) {
	f.kernel.Set(func() { f.kernel.Others[devlink.Family] = ids })
}

// otherOptions returns the options of a receiver of another family than genltest.
func otherOptions(k *fakeKernel, j Journal, in *inbox, t genl.Target) Options {
	o := options(k, j, in)
	o.Target = t
	return o
}

func startOther(t *testing.T, k *fakeKernel, target genl.Target) fixture {
	t.Helper()
	return startOptions(t, otherOptions(k, &recorder{}, newInbox(t), target))
}

func (f fixture) wantReceived(t *testing.T, want map[string]float64) {
	t.Helper()
	synctest.Wait()
	for group, n := range want {
		if got := testutil.ToFloat64(f.m.Received.WithLabelValues(group)); got != n {
			t.Errorf("%v events of the group %s, want %v", got, group, n)
		}
	}
	if n := testutil.CollectAndCount(f.m.Received); n != len(want) {
		t.Errorf("%d groups in the metric, want %d", n, len(want))
	}
}

func TestEventsHaveTheNamesOfTheirGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startOther(t, kernelWith(firstIDs), devlink)
		cut := message(34, 9, "cut")
		cut.Truncated = true
		short := genl.Message{Data: binary.NativeEndian.AppendUint16([]byte{16, 0, 0, 0}, 34), Group: 9}
		short.Data = append(short.Data, make([]byte, 10)...)
		f.send(message(34, 9, "a"), message(34, 10, "b"), cut, short, message(99, 9, "of another family"),
			message(34, 55, "c"), message(34, 0, "d"))
		f.want(t, "devlink/config: a", "devlink/health: b", "devlink/config: cut", "devlink/config: ",
			"devlink/unknown-55: c", "devlink/unknown: d")
		f.wantReceived(t, map[string]float64{"config": 3, "health": 1, "unknown": 2})
		if n := f.Received(); n != 6 {
			t.Errorf("received %d", n)
		}
		f.stop()
	})
}

func TestOnlyGroupIsThatOfEachEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startOther(t, kernelWith(fakekernel.IDs(34, 9, "config")), devlink)
		f.send(message(34, 0, "a"))
		f.want(t, "devlink/config: a")
		f.stop()
	})
}

// TestPendingBatchIsNamedAfterIDsHaveChanged: the module was loaded again while the daemon
// was stopped, so the kernel does not know the ids of the batch any more.
func TestPendingBatchIsNamedAfterIDsHaveChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, j := newInbox(t), &recorder{}
		k := kernelWith(firstIDs)
		f := startOptions(t, otherOptions(k, j, in, devlink))
		f.send(message(34, 10, "before"))
		f.want(t, "devlink/health: before")
		socket := k.Socket()
		f.stop()
		batch, err := genl.NewBatch(in.memory, devlink)
		if err != nil {
			t.Fatal(err)
		}
		batch.Put(message(34, 9, "a"), disappears(firstIDs), appears(secondIDs), message(35, 12, "b"), message(35, 13, "c"))
		k.Set(func() { k.Others[devlink.Family], k.Stored = fakekernel.IDs(36, 18, "config", "health"), socket })
		socket.Set(func() { socket.Interrupted = false })
		f = startOptions(t, otherOptions(k, j, in, devlink))
		f.send(disappears(secondIDs), appears(fakekernel.IDs(36, 18, "config", "health")), message(36, 19, "d"))
		f.want(t, "devlink/health: before", "devlink/config: a", "devlink/health: b", "devlink/config: c", "devlink/health: d")
		f.wantReceived(t, map[string]float64{"config": 2, "health": 3})
		f.stop()
	})
}

func TestSnapshotContainsAsManyGroupsAsFit(t *testing.T) {
	for _, n := range []int{0, 1, 20, 60} {
		var groups []group
		for i := range n {
			groups = append(groups, group{Group: genl.Group{Name: fmt.Sprintf("group-%d-of-many", i), ID: uint32(i + 2)}, received: uint64(i)})
		}
		saved := appendGroups(make([]byte, 280, maxSnapshot), groups)
		if len(saved) > maxSnapshot {
			t.Errorf("%d groups: a snapshot of %d bytes", n, len(saved))
		}
		o := otherOptions(kernelWith(firstIDs), &recorder{}, newInbox(t), devlink)
		r := &Receiver{Options: o}
		r.restoreGroups(saved[280:])
		if len(r.groups) < min(n, 20) || len(r.groups) > n {
			t.Errorf("%d of %d groups were restored", len(r.groups), n)
		}
		for i, g := range r.groups {
			if g.Group != groups[i].Group || g.received != uint64(i) || testutil.ToFloat64(g.counter) != float64(i) {
				t.Errorf("group %+v, want %+v", g, groups[i])
			}
		}
		r.restoreGroups(saved[280 : len(saved)-min(1, len(saved)-280)]) // does not panic
	}
}

func FuzzRestoreGroups(f *testing.F) {
	f.Add(appendGroups(nil, []group{{Group: genl.Group{Name: "config", ID: 9}, received: 5}}))
	f.Fuzz(func(t *testing.T, saved []byte) {
		m := metrics.NewReception(prometheus.NewRegistry(), metrics.ReceptionConfig{Family: "f", Group: "*"})
		r := &Receiver{Options: Options{Metrics: m}}
		r.restoreGroups(saved)
	})
}

func TestMissingGroupsAreFaultsByName(t *testing.T) {
	for name, test := range map[string]struct {
		groups     []string
		ids        genl.FamilyIDs
		want       string
		subscribed bool
	}{
		"one of two": {[]string{"config", "conf"}, firstIDs, `devlink does not have the multicast group conf; it has "config", "health"`, true},
		"all":        {[]string{"conf"}, firstIDs, `devlink does not have the multicast group conf; it has "config", "health"`, false},
		"no groups":  {nil, fakekernel.IDs(34, 9), "devlink does not have multicast groups, so its events cannot be received", false},
		"absent":     {nil, genl.FamilyIDs{}, "generic netlink family devlink is not registered: load the module", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := startOther(t, kernelWith(test.ids), genl.Target{Family: "devlink", Groups: test.groups})
				time.Sleep(3 * checkInterval)
				if err := f.Fault(); err == nil || !strings.Contains(err.Error(), test.want) || f.Subscribed() != test.subscribed {
					t.Errorf("subscribed %v, fault %v", f.Subscribed(), err)
				}
				if test.subscribed {
					f.send(message(34, 9, "a"))
					f.want(t, "devlink/config: a")
				}
				// The next load of the module has the groups.
				ids := fakekernel.IDs(36, 20, "conf", "config")
				f.register(ids)
				f.send(disappears(test.ids), appears(ids))
				synctest.Wait()
				if err := f.Fault(); err != nil || !f.Subscribed() {
					t.Errorf("after the next load: subscribed %v, fault %v", f.Subscribed(), err)
				}
				f.stop()
			})
		})
	}
}

func TestRefusedGroupIsRetriedAndLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, log := kernelWith(genl.FamilyIDs{}), &syncbuffer.Buffer{}
		o := otherOptions(k, &recorder{}, newInbox(t), devlink)
		o.Log = slog.New(slog.NewTextHandler(log, nil))
		f := startOptions(t, o)
		socket := k.Socket()
		socket.Set(func() { socket.JoinErr = genl.JoinErrors{10: unix.EPERM} })
		f.register(firstIDs)
		f.send(appears(firstIDs), message(34, 9, "a"))
		f.want(t, "devlink/config: a")
		if err := f.Fault(); !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "CAP_NET_ADMIN") || !f.Subscribed() {
			t.Errorf("subscribed %v, fault %v", f.Subscribed(), err)
		}
		time.Sleep(5 * checkInterval)
		if n := strings.Count(log.String(), "CAP_NET_ADMIN"); n != 1 {
			t.Errorf("the fault is logged %d times: %s", n, log.String())
		}
		socket.Set(func() { socket.JoinErr = nil })
		time.Sleep(2 * checkInterval)
		if err := f.Fault(); err != nil || !f.Subscribed() {
			t.Errorf("subscribed %v, fault %v", f.Subscribed(), err)
		}
		f.stop()
	})
}

// TestAFamilyThatHasNoGroupsIsNotBlind: it cannot multicast.
func TestAFamilyThatHasNoGroupsIsNotBlind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startOther(t, kernelWith(genl.FamilyIDs{ID: firstIDs.ID}), devlink)
		time.Sleep(100 * time.Second)
		if n := testutil.ToFloat64(f.m.Blind); n != 0 || f.Fault() == nil {
			t.Errorf("blind for %v s, with the fault %v", n, f.Fault())
		}
		f.stop()
	})
}

// TestTimeWithoutAnyGroupIsBlind: the family is registered, but the daemon cannot
// join its groups.
func TestTimeWithoutAnyGroupIsBlind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := kernelWith(genl.FamilyIDs{})
		f := startOther(t, k, devlink)
		socket := k.Socket()
		socket.Set(func() { socket.JoinErr = genl.JoinErrors{9: unix.EPERM, 10: unix.EPERM} })
		time.Sleep(time.Hour) // the family is absent, so it does not multicast
		f.register(firstIDs)
		f.send(appears(firstIDs))
		time.Sleep(100 * time.Second)
		if n := testutil.ToFloat64(f.m.Blind); n < 98 || n > 100 || f.Subscribed() {
			t.Errorf("subscribed %v, blind for %v s", f.Subscribed(), n)
		}
		socket.Set(func() { socket.JoinErr = nil })
		time.Sleep(200 * time.Second)
		if n := testutil.ToFloat64(f.m.Blind); n < 99 || n > 100+checkInterval.Seconds()+1 || !f.Subscribed() {
			t.Errorf("subscribed %v, blind for %v s", f.Subscribed(), n)
		}
		f.stop()
	})
}

func TestFamilyDisappearsAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startOther(t, kernelWith(firstIDs), genl.Target{Family: "devlink", Groups: []string{"health"}})
		f.send(message(34, 10, "a"))
		synctest.Wait()
		f.register(genl.FamilyIDs{})
		f.send(disappears(firstIDs))
		synctest.Wait()
		var absent genl.AbsentError
		if err := f.Fault(); !errors.As(err, &absent) || absent.Family != "devlink" || f.Subscribed() {
			t.Errorf("subscribed %v, fault %v", f.Subscribed(), err)
		}
		socket := f.kernel.Socket()
		if diff := cmp.Diff([]uint32{21, 22}, socket.Groups); diff != "" {
			t.Errorf("the second of two groups is likely to be one of (-want +got):\n%s", diff)
		}
		again := fakekernel.IDs(35, 20, "config", "health")
		f.register(again)
		f.send(appears(again), message(35, 21, "b"))
		f.want(t, "devlink/health: a", "devlink/health: b")
		if err := f.Fault(); err != nil || !f.Subscribed() {
			t.Errorf("subscribed %v, fault %v", f.Subscribed(), err)
		}
		if n := testutil.ToFloat64(f.m.Registrations); n != 2 {
			t.Errorf("%v registrations", n)
		}
		f.stop()
	})
}

func TestGroupsChangeWithoutInterruption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startOther(t, kernelWith(firstIDs), genl.Target{Family: "devlink", Groups: []string{"config"}})
		socket := f.kernel.Socket()
		for _, step := range []struct {
			groups  []string
			members []uint32
			fault   bool
		}{
			{[]string{"health"}, []uint32{10}, false},
			{[]string{"health", "helth"}, []uint32{10}, true},
			{nil, []uint32{9, 10}, false},
			{[]string{"helth"}, nil, true},
			{[]string{"config"}, []uint32{9}, false},
		} {
			if err := f.SetGroups(step.groups); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(step.members, socket.Groups); diff != "" {
				t.Errorf("groups %q (-want +got):\n%s", step.groups, diff)
			}
			if err := f.Fault(); (err != nil) != step.fault || f.Subscribed() != (len(step.members) > 0) {
				t.Errorf("groups %q: subscribed %v, fault %v", step.groups, f.Subscribed(), err)
			}
		}
		f.send(message(34, 10, "queued before"), message(34, 9, "a"))
		f.want(t, "devlink/health: queued before", "devlink/config: a")
		if n := testutil.ToFloat64(f.m.Blind); n != 0 {
			t.Errorf("blind for %v s", n)
		}
		f.stop()
	})
}

func TestGroupsThatCouldNotBeChangedAreAFaultAndRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startOther(t, kernelWith(firstIDs), genl.Target{Family: "devlink", Groups: []string{"config"}})
		socket := f.kernel.Socket()
		socket.Set(func() { socket.JoinErr = unix.ENOBUFS })
		if err := f.SetGroups([]string{"health"}); !errors.Is(err, unix.ENOBUFS) {
			t.Errorf("SetGroups: %v", err)
		}
		if err := f.Fault(); !errors.Is(err, unix.ENOBUFS) {
			t.Errorf("fault %v", err)
		}
		socket.Set(func() { socket.JoinErr = nil })
		time.Sleep(2 * checkInterval)
		if err := f.Fault(); err != nil || !f.Subscribed() || len(socket.Groups) != 1 || socket.Groups[0] != 10 {
			t.Errorf("fault %v; subscribed %v to %v", err, f.Subscribed(), socket.Groups)
		}
		f.stop()
	})
}

// TestSocketOfOneFamilyThatCannotBeOpened: the other families are received.
func TestSocketOfOneFamilyThatCannotBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := kernelWith(firstIDs)
		k.OpenErr = unix.EMFILE
		in := newInbox(t)
		batch, err := genl.NewBatch(in.memory, devlink)
		if err != nil {
			t.Fatal(err)
		}
		batch.Put(message(34, 9, "left"))
		in.generation.Store(5)
		o := otherOptions(k, &recorder{}, in, devlink)
		f := startOptions(t, o)
		time.Sleep(time.Minute)
		if err := f.Fault(); !errors.Is(err, unix.EMFILE) || f.Subscribed() {
			t.Errorf("subscribed %v, fault %v", f.Subscribed(), err)
		}
		k.Set(func() { k.OpenErr = nil })
		time.Sleep(2 * maxRedialDelay)
		if err := f.Fault(); err != nil || !f.Subscribed() {
			t.Errorf("subscribed %v, fault %v", f.Subscribed(), err)
		}
		f.send(message(34, 9, "a"))
		f.want(t, "devlink/config: left", "devlink/config: a")
		f.stop()

		if _, err := New(options(&fakeKernel{OpenErr: unix.EMFILE}, &recorder{}, newInbox(t))); !errors.Is(err, unix.EMFILE) {
			t.Errorf("genltest: %v", err)
		}
	})
}

func TestFaultIsThatOfTheLastAttemptToOpenASocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startOther(t, kernelWith(firstIDs), devlink)
		f.kernel.Set(func() { f.kernel.OpenErr = unix.EMFILE })
		f.kernel.Socket().Fail(unix.EBADF)
		time.Sleep(time.Second)
		if err := f.Fault(); !errors.Is(err, unix.EMFILE) {
			t.Errorf("fault %v", err)
		}
		f.stop()
	})
}

func TestUnresolvedFamilyIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := kernelWith(firstIDs)
		k.ResolveErr = unix.ENOBUFS
		f := startOther(t, k, devlink)
		if err := f.Fault(); !errors.Is(err, unix.ENOBUFS) || f.Subscribed() {
			t.Errorf("subscribed %v, fault %v", f.Subscribed(), err)
		}
		k.Set(func() { k.ResolveErr = nil })
		time.Sleep(2 * checkInterval)
		if err := f.Fault(); err != nil || !f.Subscribed() {
			t.Errorf("subscribed %v, fault %v", f.Subscribed(), err)
		}
		f.stop()
	})
}

func TestAbsentFamilyIsFoundAbsentAfterTheKernelDidNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := kernelWith(genl.FamilyIDs{})
		k.ResolveErr = unix.ENOBUFS
		f := startOther(t, k, devlink)
		k.Set(func() { k.ResolveErr = nil })
		time.Sleep(2 * checkInterval)
		if err := f.Fault(); !errors.As(err, new(genl.AbsentError)) || len(f.kernel.Socket().Groups) == 0 {
			t.Errorf("fault %v; likely groups %v", err, f.kernel.Socket().Groups)
		}
		f.stop()
	})
}

func TestNotificationsAreTheEventsOfNlctrl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKernel{Others: map[string]genl.FamilyIDs{"nlctrl": fakekernel.IDs(16, 16, "notify")}, Queue: 100}
		f := startOther(t, k, genl.Target{Family: "nlctrl"})
		notification := registration(unix.CTRL_CMD_DELFAMILY, "nlctrl", fakekernel.IDs(16, 16)) // would end the subscription
		notification.Group = 16
		f.send(notification)
		f.want(t, "nlctrl/notify: "+string(notification.Data[20:]))
		if !f.Subscribed() {
			t.Error("a notification has changed the subscription")
		}
		f.stop()
	})
}

func TestEventsOfOtherFamiliesDoNotAllocate(t *testing.T) {
	o := otherOptions(kernelWith(firstIDs), discardingJournal{}, newInbox(t), devlink)
	o.Inbox = inboxWithoutSnapshots{o.Inbox}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	messages := make([]genl.Message, 64)
	for i := range messages {
		messages[i] = message(34, 9+uint32(i)%2, strings.Repeat("x", 100))
	}
	if n := testing.AllocsPerRun(100, func() {
		if err := r.handle(t.Context(), messages); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for %d events", n, len(messages))
	}
}

// TestReceivedPlusLostEqualsMulticastWithoutNumbers: the socket's counter includes the
// notifications of nlctrl, which are not events.
func TestReceivedPlusLostEqualsMulticastWithoutNumbers(t *testing.T) {
	seeds := uint64(500)
	if os.Getenv("GENLTESTD_SOAK") != "" {
		seeds = 50_000
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 1))
		k, in, j := kernelWith(firstIDs), newInbox(t), &recorder{}
		o := otherOptions(k, j, in, devlink)
		r, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		s := k.Socket()
		var queue []genl.Message
		multicast, dropped := 0, 0
		send := func(m genl.Message, event bool) {
			if event {
				multicast++
			} else {
				s.Notified++
			}
			if len(queue) >= queueSize {
				s.Dropped++
				if event {
					dropped++
				}
				return
			}
			queue = append(queue, m)
		}
		handle := func(batch []genl.Message) {
			s.InQueue = uint32(len(queue))
			if err := r.handle(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
		receive := func(n int) {
			for ; n > 0 && len(queue) > 0; n-- {
				size := min(len(queue), 1+rng.IntN(64))
				batch := queue[:size]
				queue = queue[size:]
				handle(batch)
			}
			if len(queue) == 0 && s.Interrupted {
				s.Interrupted = false
				handle(nil)
			}
		}
		for range rng.IntN(60) {
			switch n := rng.IntN(100); {
			case n < 50:
				for range rng.IntN(150) {
					send(message(34, 9, "x"), true)
					if rng.IntN(10) == 0 {
						send(registration(unix.CTRL_CMD_NEWFAMILY, "foreign", fakekernel.IDs(50, 60, "g")), false)
					}
				}
			case n < 80:
				receive(1 + rng.IntN(4))
			case n < 90:
				if _, _, err := r.checkSocket(); err != nil {
					t.Fatal(err)
				}
			default: // a process that ends without a chance to count; the socket is stored
				k.Stored = s
				o = otherOptions(k, j, in, devlink)
				if r, err = New(o); err != nil {
					t.Fatal(err)
				}
			}
		}
		receive(1000)
		for range 3 {
			if _, _, err := r.checkSocket(); err != nil {
				t.Fatal(err)
			}
			receive(1)
			handle(nil)
		}
		received, lost := int(r.Received()), int(r.ledger.Lost[kernelBuffer])
		if received+lost != multicast || lost != dropped || r.ledger.Lost[notSubscribed]+r.ledger.Lost[unexplained] != 0 {
			t.Fatalf("seed %d: received %d + lost %d, %d dropped, %d multicast", seed, received, r.ledger.Lost, dropped, multicast)
		}
		if byGroup := testutil.ToFloat64(o.Metrics.Received.WithLabelValues("config")); int(byGroup) != received {
			t.Fatalf("seed %d: the metric has %v events, received %d", seed, byGroup, received)
		}
	}
}
