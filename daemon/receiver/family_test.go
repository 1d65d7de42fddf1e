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
)

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
	f := start(t, &fakeKernel{ids: first})
	s := &steps{Handler: slog.NewTextHandler(t.Output(), nil), r: f.Receiver}
	f.mu.Lock()
	f.Log = slog.New(s)
	f.mu.Unlock()
	f.kernel.socket().beforeJoin = func() { s.add("join") }
	f.kernel.set(func() { f.kernel.ids = genl.FamilyIDs{} })
	return f, s
}

// TestTheLikelyGroupsAreJoinedBeforeAbsenceIsPublished: an operator or a test that sees
// the absence may load the module immediately.
func TestTheLikelyGroupsAreJoinedBeforeAbsenceIsPublished(t *testing.T) {
	ways := map[string]func(f fixture){
		"the kernel's notification": func(f fixture) { f.send(unregistered(first)) },
		"together with events":      func(f fixture) { f.send(anEvent(34, "a"), unregistered(first), anEvent(34, "stale")) },
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
				if diff := cmp.Diff([]uint32{20, 21}, f.kernel.socket().groups); diff != "" {
					t.Errorf("groups (-want +got):\n%s", diff)
				}
				f.stop()
			})
		})
	}
}

// TestLikelyGroupsThatCannotBeJoinedAreRetried: otherwise the first events of the next
// load are lost.
func TestLikelyGroupsThatCannotBeJoinedAreRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := startRecorded(t)
		socket := f.kernel.socket()
		socket.set(func() { socket.joinErr = unix.ENOMEM })
		f.send(unregistered(first))
		synctest.Wait()
		if f.Subscribed() || len(s.list) != 2 {
			t.Errorf("steps %q", s.list)
		}
		socket.set(func() { socket.joinErr = nil })
		time.Sleep(2 * checkInterval)
		socket.set(func() {
			if diff := cmp.Diff([]uint32{20, 21}, socket.groups); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
		})
		f.stop()
	})
}

// TestAJoinThatFailsIsNotASubscription: the family is registered, but its group is not
// joined.
func TestAJoinThatFailsIsNotASubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKernel{}
		f := start(t, k)
		k.set(func() { k.ids = first })
		socket := k.socket()
		socket.set(func() { socket.joinErr = errors.New("no") })
		f.send(registered(first))
		synctest.Wait()
		if f.Subscribed() || f.Family() != 0 {
			t.Errorf("subscribed %v to family %d", f.Subscribed(), f.Family())
		}
		socket.set(func() { socket.joinErr = nil })
		time.Sleep(3 * checkInterval)
		if got := f.SubscribedTo(); got != first.ID {
			t.Errorf("subscribed to %d, want %d", got, first.ID)
		}
		f.stop()
	})
}

// TestAFamilyThatAppearsIsAnnouncedWhenEventsCanArrive: OnAppear may act on it
// immediately.
func TestAFamilyThatAppearsIsAnnouncedWhenEventsCanArrive(t *testing.T) {
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
