// SPDX-License-Identifier: Apache-2.0

// Package kernel is the receiver's access to the running kernel. The event socket outlives
// the process: systemd stores a copy of its descriptor, in which events queue until the
// next process adopts it.
package kernel

import (
	"errors"
	"log/slog"
	"os"
	"syscall"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/receiver"
)

// The names of the event socket and of its meter in the descriptor store of systemd.
const (
	storedSocket = "events"
	storedMeter  = "meter"
)

// A Store keeps descriptors for the next process, as systemd.Notifier does.
type Store interface {
	Store(name string, c syscall.Conn) error
	Forget(name string)
}

// A Kernel opens the event socket of the running kernel. Its methods must not be called
// concurrently.
type Kernel struct {
	store  Store
	stored []*os.File // from an earlier process, until the first Open
	log    *slog.Logger
}

var _ receiver.Kernel = (*Kernel)(nil)

// New returns the running kernel. stored are the descriptors that an earlier process left
// in the store; Open closes them.
func New(store Store, stored []*os.File, log *slog.Logger) *Kernel {
	return &Kernel{store: store, stored: stored, log: log}
}

// Resolve implements receiver.Kernel.
func (*Kernel) Resolve() (genl.Registry, error) { return genl.Resolve() }

// Open implements receiver.Kernel. It adopts a stored event socket if one is usable.
func (k *Kernel) Open(bufferBytes int, batch *genl.Batch) (receiver.Socket, genl.SocketReport, error) {
	s, report := k.adopt(bufferBytes, batch)
	k.stored = nil
	if s != nil {
		return s, report, nil
	}
	s, report, err := genl.OpenEventSocket(bufferBytes, batch)
	if err != nil {
		return nil, report, err
	}
	k.replaceStored(s)
	return s, report, nil
}

// adopt returns the stored event socket, or nil if no stored descriptor is one.
func (k *Kernel) adopt(bufferBytes int, batch *genl.Batch) (*genl.EventSocket, genl.SocketReport) {
	var events []*os.File
	var meter *os.File
	for _, f := range k.stored {
		defer f.Close() // systemd has its own copy
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
			k.log.Warn("a descriptor that systemd stored is not an event socket", "error", err)
			continue
		}
		k.log.Info("using the event socket of an earlier process")
		if len(k.stored) != 2 || meter == nil {
			k.replaceStored(s)
		}
		return s, report
	}
	return nil, genl.SocketReport{}
}

// replaceStored stores the socket and its meter, and removes all other descriptors.
func (k *Kernel) replaceStored(s *genl.EventSocket) {
	k.store.Forget(storedSocket)
	k.store.Forget(storedMeter)
	err := errors.Join(k.store.Store(storedSocket, s), k.store.Store(storedMeter, s.Meter()))
	if err != nil {
		k.log.Warn("systemd does not store the event socket: a restart loses the events of that time, and counts them", "error", err)
	}
}
