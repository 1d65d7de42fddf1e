// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/tmpfs"
)

// The server is killed again and again while it receives events. With both settings it writes
// its log before it answers; everysec differs in a power cut, and on a slow disk: it delays the
// write while an fsync runs. The disk of the test is memory, so an fsync ends at once.
func TestServerIsKilledUnderLoad(t *testing.T) {
	long(t)
	for _, fsync := range []string{"always", "everysec"} {
		t.Run(fsync, func(t *testing.T) {
			s := startServerIn(t, tmpfs.Shared(t), "--appendonly", "yes", "--appendfsync", fsync)
			k := newSink(t, s.config())
			const batch, kills = 200, 6
			next := 1
			for range kills {
				pid, dead := s.Pid(), make(chan struct{})
				time.AfterFunc(30*time.Millisecond, func() { _ = unix.Kill(pid, unix.SIGKILL); close(dead) })
				for failed := false; !failed; {
					n, err := within(t, 5*time.Second, k, sinktest.Events(next, batch))
					next += n
					failed = err != nil
				}
				<-dead
				s.Kill()
				s.Restart()
			}
			deliverAll(t, 10*time.Second, k, sinktest.Events(next, batch))
			checkOrder(t, s, next+batch-1, kills*batch)
		})
	}
}
