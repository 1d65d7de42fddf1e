// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
)

// Both families were removed from the configuration before this start. The batch also contains
// a notification, after which a receiver joins groups.
func TestRemovedFamilyLeavesIfItsSocketCannotBeOpened(t *testing.T) {
	for _, tt := range []struct {
		target genl.Target
		batch  []genl.Message
		want   string
	}{
		{devlink, []genl.Message{disappears(firstIDs), appears(secondIDs), message(35, 12, "left")}, "devlink/health: left"},
		{genl.Genltest, []genl.Message{unregistered(first), registered(second), unnumbered(35, "left")}, "left"},
	} {
		t.Run(tt.target.Family, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &fakeKernel{IDs: second, Others: map[string]genl.FamilyIDs{"devlink": secondIDs}, OpenErr: unix.EMFILE}
				in := newInbox(t)
				batch, err := genl.NewBatch(in.memory, tt.target)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range tt.batch {
					batch.Put(m)
				}
				in.generation.Store(5)
				o := options(k, &recorder{}, in)
				o.Target, o.Leaving = genl.Target{Family: tt.target.Family, Groups: []string{}}, true
				f := startOptions(t, o)
				f.want(t, tt.want)
				if !f.HasLeft() {
					t.Error("the receiver has not left")
				}
				f.stop()
			})
		})
	}
}

func TestLeaveEndsTheAttemptsToOpenASocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startOther(t, kernelWith(firstIDs), devlink)
		f.kernel.Set(func() { f.kernel.OpenErr = unix.EMFILE })
		socket := f.kernel.Socket()
		socket.Set(func() { socket.Dropped = 3 })
		socket.Fail(unix.EBADF)
		time.Sleep(time.Second)
		f.Leave()
		time.Sleep(maxRedialDelay)
		f.want(t, "3 lost: kernel_buffer 0-0")
		if !f.HasLeft() {
			t.Error("the receiver has not left")
		}
		f.stop()
	})
}

func TestBlockedJournalDelaysLeavingWithoutASocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &recorder{err: unix.ENOSPC}
		o := otherOptions(&fakeKernel{Others: map[string]genl.FamilyIDs{"devlink": firstIDs}, OpenErr: unix.EMFILE}, j, newInbox(t),
			genl.Target{Family: "devlink", Groups: []string{}})
		o.Leaving = true
		batch, err := genl.NewBatch(o.Inbox.Memory(), o.Target)
		if err != nil {
			t.Fatal(err)
		}
		batch.Put(message(34, 9, "left"))
		o.FreshInbox = false
		f := startOptions(t, o)
		time.Sleep(time.Minute)
		if f.HasLeft() || f.Blocked() == nil {
			t.Errorf("left %v, blocked by %v", f.HasLeft(), f.Blocked())
		}
		f.stop()
		if f.HasLeft() {
			t.Error("a receiver that was stopped has left its batch")
		}
	})
}
