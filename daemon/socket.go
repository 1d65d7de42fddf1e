// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"log/slog"
	"os"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/receiver"
	"github.com/genltestd/genltestd/daemon/systemd"
)

// The names of the event socket and of its meter in systemd's descriptor store.
const (
	storedSocket = "events"
	storedMeter  = "meter"
)

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
	s, report := k.adopt(bufferBytes, batch)
	k.stored = nil
	if s != nil {
		return s, report, nil
	}
	s, report, err := genl.OpenEventSocket(bufferBytes, batch)
	if err != nil {
		return nil, report, err
	}
	k.store(s)
	return s, report, nil
}

func (k *hostKernel) adopt(bufferBytes int, batch *genl.Batch) (*genl.EventSocket, genl.SocketReport) {
	var events []*os.File
	var meter *os.File
	for _, f := range k.stored {
		defer f.Close() // systemd has its own
		switch f.Name() {
		case storedSocket:
			events = append(events, f)
		case storedMeter:
			meter = f
		}
	}
	for _, f := range events {
		s, report, err := genl.AdoptEventSocket(f, meter, bufferBytes, batch)
		if err != nil {
			k.log.Warn("systemd has kept a descriptor that is no event socket", "error", err)
			continue
		}
		k.log.Info("going on with the event socket of an earlier process")
		if len(k.stored) != 2 || meter == nil {
			k.store(s)
		}
		return s, report
	}
	return nil, genl.SocketReport{}
}

// store has systemd keep the socket, and nothing else.
func (k *hostKernel) store(s *genl.EventSocket) {
	k.notifier.Forget(storedSocket)
	k.notifier.Forget(storedMeter)
	err := errors.Join(k.notifier.Store(storedSocket, s), k.notifier.Store(storedMeter, s.Meter()))
	if err != nil {
		k.log.Warn("systemd does not keep the event socket: a restart loses what is multicast meanwhile, and counts it", "error", err)
	}
}
