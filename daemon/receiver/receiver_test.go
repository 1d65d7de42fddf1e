// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/internal/kernelmsg"
	"github.com/genltestd/genltestd/metrics"
)

func TestEventsAreJournaledInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(first))
		f.send(unnumbered(34, "a"), unnumbered(34, "b"))
		f.send(unnumbered(34, "c"))
		f.want(t, "a", "b", "c")
		if got := testutil.ToFloat64(f.m.Received.WithLabelValues(genl.GroupName)); got != 3 {
			t.Errorf("received = %v", got)
		}
		f.stop()
		if s := f.kernel.Socket(); !s.Closed {
			t.Error("the socket was left open")
		}
	})
}

func TestForeignMessagesAreRefusedWithReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(first))
		forged := unnumbered(34, "forged")
		forged.Sender = 4711
		cut := unnumbered(34, "cut")
		cut.Truncated = true
		message := func(command, version uint8) genl.Message {
			return genl.Message{Data: kernelmsg.Message(34, command, version)}
		}
		f.send(unnumbered(34, "a"), forged, unnumbered(33, "foreign"), cut, message(2, 1), message(1, 9),
			genl.Message{Data: []byte("garbage")}, message(1, 1), unnumbered(34, "b"))
		f.want(t, "a", "b")
		want := map[string]float64{"sender": 1, "family": 1, "truncated": 1, "command": 1, "version": 1, "malformed": 2}
		for reason, n := range want {
			if got := testutil.ToFloat64(f.m.Refused.WithLabelValues(reason)); got != n {
				t.Errorf("refused for %s = %v, want %v", reason, got, n)
			}
		}
		f.stop()
	})
}

func TestFailedSocketIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(first))
		old := f.kernel.Socket()
		old.Set(func() { old.Dropped = 7 })
		f.kernel.Set(func() { f.kernel.OpenErr = unix.EMFILE })
		old.Fail(fmt.Errorf("receive: %w", unix.EBADF))
		time.Sleep(5 * time.Second)
		if f.Subscribed() {
			t.Error("subscribed without a socket")
		}
		if err := f.CountDrops(); err != nil {
			t.Errorf("scrape without a socket: %v", err)
		}
		f.kernel.Set(func() { f.kernel.OpenErr = nil })
		time.Sleep(time.Minute)
		f.send(unnumbered(34, "a"))
		f.want(t, "7 lost: kernel_buffer 0-0", "a")
		if !old.Closed {
			t.Error("the failed socket was left open")
		}
		if got := testutil.ToFloat64(f.m.Lost.WithLabelValues(metrics.LostKernelBuffer)); got != 7 {
			t.Errorf("drops of the failed socket: %v, want 7", got)
		}
		f.stop()
	})
}

func TestReceivedBatchIsJournaledOnStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(first))
		f.kernel.Socket().BeforeHandle = f.cancel
		f.send(unnumbered(34, "a"))
		f.want(t, "a")
		f.stop()
	})
}

func TestStopWithoutSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(first))
		f.kernel.Set(func() { f.kernel.OpenErr = unix.EMFILE })
		f.kernel.Socket().Fail(unix.EBADF)
		time.Sleep(time.Second)
		f.stop()
	})
}

func TestNewFailsWithoutSocket(t *testing.T) {
	k := &fakeKernel{OpenErr: unix.EAFNOSUPPORT}
	_, err := New(options(k, &recorder{}, newInbox(t)))
	if !errors.Is(err, unix.EAFNOSUPPORT) {
		t.Errorf("error %v", err)
	}
}

func TestHandleDoesNotAllocate(t *testing.T) {
	o := options(newKernel(first), discardingJournal{}, newInbox(t))
	o.Inbox = inboxWithoutSnapshots{o.Inbox}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	batch := []genl.Message{unnumbered(34, "a"), unnumbered(33, "foreign"), unnumbered(34, "b")}
	if n := testing.AllocsPerRun(100, func() {
		if err := r.handle(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per batch", n)
	}
}

func TestReceiverWaitsForBlockedJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(first))
		full := func(err error) {
			f.journal.mu.Lock()
			defer f.journal.mu.Unlock()
			f.journal.err = err
		}
		full(unix.ENOSPC)
		f.send(unnumbered(34, "a"))
		time.Sleep(time.Minute)
		if err := f.Blocked(); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("Blocked() = %v", err)
		}
		if stuck := f.Stuck(); stuck != 0 {
			t.Errorf("a full disk counts as stuck for %v: the watchdog would end the daemon", stuck)
		}
		f.send(unnumbered(34, "b"))
		full(nil)
		time.Sleep(time.Second)
		f.want(t, "a", "b")
		if err := f.Blocked(); err != nil {
			t.Errorf("Blocked() = %v after the journal accepted", err)
		}
		full(unix.EIO)
		f.send(unnumbered(34, "left in the inbox"))
		f.stop()
		if err := f.Blocked(); !errors.Is(err, unix.EIO) {
			t.Errorf("Blocked() = %v after a stop with a batch that is not journaled", err)
		}
	})
}
