// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/internal/fakekernel"
	"github.com/genltestd/genltestd/metrics"
)

func TestReloadIsOrderedWithEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(first))
		f.kernel.Set(func() { f.kernel.IDs = second })
		f.send(unnumbered(34, "before"), unregistered(first), unnumbered(34, "stale"), registered(second), unnumbered(35, "after"))
		f.want(t, "before", "after")
		s := f.kernel.Socket()
		if diff := cmp.Diff([]uint32{10}, s.Groups); diff != "" {
			t.Errorf("groups joined (-want +got):\n%s", diff)
		}
		if got := testutil.ToFloat64(f.m.Registrations); got != 2 {
			t.Errorf("registrations = %v", got)
		}
		f.stop()
	})
}

func TestFamilyIsJoinedWhenItAppears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(genl.FamilyIDs{}))
		if f.Subscribed() {
			t.Error("subscribed without a family")
		}
		f.send(unnumbered(34, "of another family"))
		synctest.Wait()
		f.kernel.Set(func() { f.kernel.IDs = first })
		f.send(registered(first), unnumbered(34, "a"))
		f.want(t, "a")
		if !f.Subscribed() || testutil.ToFloat64(f.m.Subscribed) != 1 {
			t.Error("not subscribed")
		}
		f.stop()
	})
}

func TestSubscribedIsFalseUntilGroupIsJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(genl.FamilyIDs{}))
		early := false
		f.kernel.Socket().BeforeJoin = func() { early = f.Subscribed() }
		f.send(registered(first))
		synctest.Wait()
		if early || !f.Subscribed() {
			t.Errorf("subscribed before the group was joined: %v; after: %v", early, f.Subscribed())
		}
		f.stop()
	})
}

func TestEventsBeforeLikelyGroupIsJoinedAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(first))
		s := f.kernel.Socket()
		f.send(numbered(34, 1, 1))
		synctest.Wait()
		f.kernel.Set(func() { f.kernel.IDs = genl.FamilyIDs{} })
		s.BeforeJoin = func() {
			f.kernel.Set(func() { f.kernel.IDs = fakekernel.GenltestIDs(35, 20) }) // the first of Free
		}
		f.send(unregistered(first))
		synctest.Wait()
		s.BeforeJoin = nil
		f.send(registered(fakekernel.GenltestIDs(35, 20)), numbered(35, 2, 181))
		synctest.Wait()
		f.stop()
		if n := testutil.ToFloat64(f.m.Lost.WithLabelValues(metrics.LostNotSubscribed)); n != 180 {
			t.Errorf("%v events lost as not subscribed, want 180; %v unexplained", n,
				testutil.ToFloat64(f.m.Lost.WithLabelValues(metrics.LostUnexplained)))
		}
	})
}

func TestUnregistrationOfOtherFamilyIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(second))
		f.send(unregistered(first), unnumbered(35, "a"))
		f.want(t, "a")
		f.stop()
	})
}

// steps records in order which groups were joined and whether the subscription was
// published. The receive loop and watch both hold the receiver's mu while they append
// to it.
type steps struct {
	slog.Handler
	r    *Receiver
	list []string
}

func (s *steps) add(step string) {
	s.list = append(s.list, fmt.Sprintf("%s: subscribed %v, metric %v", step, s.r.Subscribed(), testutil.ToFloat64(s.r.Metrics.Subscribed)))
}

func (s *steps) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "not registered") {
		s.add("log")
	}
	return nil
}

func (s *steps) WithAttrs([]slog.Attr) slog.Handler { return s }

// startRecorded starts a receiver of the family first and records its next steps.
func startRecorded(t *testing.T) (fixture, *steps) {
	t.Helper()
	f := start(t, newKernel(first))
	s := &steps{Handler: slog.NewTextHandler(t.Output(), nil), r: f.Receiver}
	f.mu.Lock()
	f.Log = slog.New(s)
	f.mu.Unlock()
	f.kernel.Socket().BeforeJoin = func() { s.add("join") }
	f.kernel.Set(func() { f.kernel.IDs = genl.FamilyIDs{} })
	return f, s
}

// TestLikelyGroupsAreJoinedBeforeAbsenceIsPublished: the module may be loaded
// immediately after the absence is published.
func TestLikelyGroupsAreJoinedBeforeAbsenceIsPublished(t *testing.T) {
	ways := map[string]func(f fixture){
		"the kernel's notification": func(f fixture) { f.send(unregistered(first)) },
		"together with events":      func(f fixture) { f.send(unnumbered(34, "a"), unregistered(first), unnumbered(34, "stale")) },
		"the notification was lost": func(fixture) { time.Sleep(2*checkInterval + 2*watchInterval) },
	}
	for name, unload := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s := startRecorded(t)
				unload(f)
				synctest.Wait()
				want := []string{"join: subscribed true, metric 1", "log: subscribed false, metric 0"}
				if diff := cmp.Diff(want, s.list); diff != "" {
					t.Errorf("steps (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff([]uint32{20, 21}, f.kernel.Socket().Groups); diff != "" {
					t.Errorf("groups (-want +got):\n%s", diff)
				}
				f.stop()
			})
		})
	}
}

// TestFailedJoinOfLikelyGroupsIsRetried: without a retry the first events of the
// next load are lost.
func TestFailedJoinOfLikelyGroupsIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := startRecorded(t)
		socket := f.kernel.Socket()
		socket.Set(func() { socket.JoinErr = unix.ENOMEM })
		f.send(unregistered(first))
		synctest.Wait()
		if f.Subscribed() || len(s.list) != 2 {
			t.Errorf("steps %q", s.list)
		}
		socket.Set(func() { socket.JoinErr = nil })
		time.Sleep(2 * checkInterval)
		socket.Set(func() {
			if diff := cmp.Diff([]uint32{20, 21}, socket.Groups); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
		})
		f.stop()
	})
}

// TestFailedJoinIsNotASubscription: the family is registered, but its group is not
// joined.
func TestFailedJoinIsNotASubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(genl.FamilyIDs{})
		f := start(t, k)
		k.Set(func() { k.IDs = first })
		socket := k.Socket()
		socket.Set(func() { socket.JoinErr = errors.New("no") })
		f.send(registered(first))
		synctest.Wait()
		if f.Subscribed() || f.Family() != 0 {
			t.Errorf("subscribed %v to family %d", f.Subscribed(), f.Family())
		}
		socket.Set(func() { socket.JoinErr = nil })
		time.Sleep(3 * checkInterval)
		if got := f.SubscribedTo(); got != first.ID {
			t.Errorf("subscribed to %d, want %d", got, first.ID)
		}
		f.stop()
	})
}

// TestOnAppearIsCalledAfterSubscription: OnAppear may act on it
// immediately.
func TestOnAppearIsCalledAfterSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := startRecorded(t)
		f.OnAppear = func() { s.add("appear") }
		f.send(unregistered(first), registered(second))
		f.send(registered(second))
		synctest.Wait()
		want := []string{"join: subscribed true, metric 1", "appear: subscribed true, metric 1"}
		if diff := cmp.Diff(want, s.list); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
		if f.SubscribedTo() != second.ID {
			t.Errorf("subscribed to %d", f.SubscribedTo())
		}
		f.stop()
	})
}
