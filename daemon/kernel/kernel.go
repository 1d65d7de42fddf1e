// SPDX-License-Identifier: Apache-2.0

// Package kernel is the receivers' access to the running kernel. The event sockets outlive
// the process: systemd stores copies of their descriptors, in which events queue until the
// next process adopts them.
package kernel

import (
	"errors"
	"log/slog"
	"os"
	"sync"
	"syscall"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/daemon/receiver"
)

// A Store keeps descriptors for the next process, as systemd.Notifier does.
type Store interface {
	Store(name string, c syscall.Conn) error
	Forget(name string)
}

// A Kernel opens the event sockets of the running kernel. Its methods are safe for
// concurrent use.
type Kernel struct {
	store  Store
	log    *slog.Logger
	limits *ratelog.Logger // for lines that may repeat

	mu       sync.Mutex
	stored   []*os.File // from an earlier process, and not claimed yet
	returned []*os.File // of targets for which Open failed: its next call tries them again
}

var _ receiver.Kernel = (*Kernel)(nil)

// New returns the running kernel. stored are the descriptors that an earlier process left
// in the store. Open closes those of its target, and ForgetUnclaimed the others.
func New(store Store, stored []*os.File, log *slog.Logger) *Kernel {
	return &Kernel{store: store, stored: stored, log: log, limits: ratelog.New(log)}
}

// names returns the names of the event socket and of its meter in the store.
func names(t genl.Target) (events, meter string) {
	if t.IsGenltest() {
		return "events", "meter"
	}
	return "events." + t.Family, "meter." + t.Family
}

// Resolve implements receiver.Kernel.
func (*Kernel) Resolve(t genl.Target) (genl.Registry, error) { return genl.Resolve(t) }

// Open implements receiver.Kernel. It adopts a stored event socket of the target if one is
// usable. After an error, the stored descriptors stay for the next call, because the reason,
// such as too many open files, can have made them unusable.
func (k *Kernel) Open(t genl.Target, bufferBytes int, batch *genl.Batch) (receiver.Socket, genl.SocketReport, error) {
	claimed := k.claim(t)
	s, report := k.adopt(t, claimed, bufferBytes, batch)
	if s == nil {
		var err error
		if s, report, err = genl.OpenEventSocket(t, bufferBytes, batch); err != nil {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.returned = append(k.returned, claimed...)
			return nil, report, err
		}
		k.replaceStored(t, s)
	}
	closeAll(claimed) // systemd has its own copies
	return s, report, nil
}

// Forget removes the descriptors of a target from the store, because its events are not
// received any more. Its event socket must be closed.
func (k *Kernel) Forget(t genl.Target) {
	closeAll(k.claim(t))
	events, meter := names(t)
	k.store.Forget(events)
	k.store.Forget(meter)
}

// ForgetUnclaimed removes the descriptors of families that are not configured any more. It
// must be called after Open was called for each configured family.
func (k *Kernel) ForgetUnclaimed() {
	k.mu.Lock()
	unclaimed := k.stored
	k.stored = nil
	k.mu.Unlock()
	for _, f := range unclaimed {
		k.log.Info("forgetting a stored descriptor that no configured family uses", "name", f.Name())
		k.store.Forget(f.Name())
	}
	closeAll(unclaimed)
}

// closeAll closes descriptors that are not used any more.
func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // the daemon does not use this descriptor
	}
}

// claim returns the stored descriptors of a target, which the caller must close.
func (k *Kernel) claim(t genl.Target) (claimed []*os.File) {
	k.mu.Lock()
	defer k.mu.Unlock()
	events, meter := names(t)
	for _, list := range []*[]*os.File{&k.stored, &k.returned} {
		var others []*os.File
		for _, f := range *list {
			if name := f.Name(); name == events || name == meter {
				claimed = append(claimed, f)
			} else {
				others = append(others, f)
			}
		}
		*list = others
	}
	return claimed
}

// adopt returns the event socket among the stored descriptors, or nil if it cannot use any.
func (k *Kernel) adopt(t genl.Target, stored []*os.File, bufferBytes int, batch *genl.Batch) (*genl.EventSocket, genl.SocketReport) {
	var events []*os.File
	var meter *os.File
	_, meterName := names(t)
	for _, f := range stored {
		if f.Name() == meterName {
			meter = f
		} else {
			events = append(events, f)
		}
	}
	for _, f := range events {
		s, report, err := genl.AdoptEventSocket(t, f, meter, bufferBytes, batch)
		if err != nil {
			k.limits.Warn("cannot use a descriptor that systemd stored as the event socket", "family", t.Family, "error", err)
			continue
		}
		k.log.Info("using the event socket of an earlier process", "family", t.Family)
		if len(events) != 1 || (meter == nil) != (s.Meter() == nil) {
			k.replaceStored(t, s)
		}
		return s, report
	}
	return nil, genl.SocketReport{}
}

// replaceStored stores the socket and its meter, and removes all other descriptors of the
// target.
func (k *Kernel) replaceStored(t genl.Target, s *genl.EventSocket) {
	events, meter := names(t)
	k.store.Forget(events)
	k.store.Forget(meter)
	err := k.store.Store(events, s)
	if m := s.Meter(); m != nil {
		err = errors.Join(err, k.store.Store(meter, m))
	}
	if err != nil {
		k.limits.Warn("systemd does not store the event socket: a restart loses the events of that time; only those of genltest are counted",
			"family", t.Family, "error", err)
	}
}
