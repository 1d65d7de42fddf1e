// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"log/slog"
	"os"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/receiver"
	"github.com/genltestd/genltestd/daemon/systemd"
)

// storedSocket is the name of the event socket in systemd's descriptor store.
const storedSocket = "events"

// hostKernel is the kernel that this process runs on. Its event socket outlives
// the process: systemd keeps a copy, in which the events queue meanwhile.
type hostKernel struct {
	notifier *systemd.Notifier
	stored   []*os.File // by an earlier process, until the first Open
	log      *slog.Logger
}

var _ receiver.Kernel = (*hostKernel)(nil)

func (*hostKernel) Resolve() (genl.Registry, error) { return genl.Resolve() }

// Open goes on with the stored socket if there is one that is right.
func (k *hostKernel) Open(bufferBytes int, batch *genl.Batch) (receiver.Socket, genl.SocketReport, error) {
	if s, report := k.adopt(bufferBytes, batch); s != nil {
		return s, report, nil
	}
	s, report, err := genl.OpenEventSocket(bufferBytes, batch)
	if err != nil {
		return nil, report, err
	}
	k.notifier.Forget(storedSocket)
	k.store(s)
	return s, report, nil
}

func (k *hostKernel) adopt(bufferBytes int, batch *genl.Batch) (found *genl.EventSocket, report genl.SocketReport) {
	for _, f := range k.stored {
		if f.Name() == storedSocket && found == nil {
			s, r, err := genl.AdoptEventSocket(f, bufferBytes, batch)
			if err != nil {
				k.log.Warn("systemd has kept a descriptor that is no event socket", "error", err)
			} else {
				found, report = s, r
			}
		}
		f.Close() // a copy of what systemd, or found, has
	}
	if found != nil {
		k.log.Info("going on with the event socket of an earlier process")
		if len(k.stored) > 1 {
			k.notifier.Forget(storedSocket)
			k.store(found)
		}
	}
	k.stored = nil
	return found, report
}

func (k *hostKernel) store(s *genl.EventSocket) {
	if err := k.notifier.Store(storedSocket, s); err != nil {
		k.log.Warn("systemd does not keep the event socket: a restart loses what is multicast meanwhile, and counts it", "error", err)
	}
}
