// SPDX-License-Identifier: Apache-2.0

// Package fakekernel is a kernel in memory for tests of the receiver and the daemon. It has
// families that can be registered and unregistered, and event sockets that can fail.
package fakekernel

import (
	"slices"
	"sync"

	"github.com/genltestd/genltestd/daemon/genl"
)

// A Kernel opens sockets and resolves families. S is the interface of a socket as the
// receiver defines it; a *Socket must implement it. The methods are safe for concurrent
// use. The fields may be changed before the kernel is used, and later by Set.
type Kernel[S any] struct {
	IDs        genl.FamilyIDs            // of genltest; zero while it is not registered
	Others     map[string]genl.FamilyIDs // other registered families
	OpenErr    error                     // of Open
	ResolveErr error                     // of Resolve
	Opening    func()                    // called during Open
	Stored     *Socket                   // returned by the next Open of its family, if not nil
	Queue      int                       // number of batches that a socket holds before Send blocks

	mu        sync.Mutex
	sockets   []*Socket
	forgotten []string
}

// IDs returns the ids of a family. Its groups have consecutive numbers, beginning with first.
func IDs(id uint16, first uint32, groups ...string) genl.FamilyIDs {
	ids := genl.FamilyIDs{ID: id}
	for i, name := range groups {
		ids.Groups = append(ids.Groups, genl.Group{Name: name, ID: first + uint32(i)})
	}
	return ids
}

// GenltestIDs returns the ids of genltest.
func GenltestIDs(id uint16, group uint32) genl.FamilyIDs { return IDs(id, group, genl.GroupName) }

// Set changes the fields.
func (k *Kernel[S]) Set(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change()
}

// Open implements receiver.Kernel.
func (k *Kernel[S]) Open(t genl.Target, bufferBytes int, _ *genl.Batch) (opened S, report genl.SocketReport, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.Opening != nil {
		k.Opening()
	}
	if k.OpenErr != nil {
		return opened, report, k.OpenErr
	}
	s := newSocket(t.Family, k.Queue, uint64(len(k.sockets)+1))
	if k.Stored != nil && k.Stored.family == t.Family {
		s, k.Stored = k.Stored, nil
	}
	k.sockets = append(k.sockets, s)
	return any(s).(S), s.grant(bufferBytes), nil
}

// Resolve implements receiver.Kernel. The group numbers from 20 are unused.
func (k *Kernel[S]) Resolve(t genl.Target) (genl.Registry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := genl.Registry{Family: k.Others[t.Family]}
	if t.IsGenltest() {
		r.Family = k.IDs
	}
	for g := range uint32(20) {
		r.Used = append(r.Used, g)
	}
	return r, k.ResolveErr
}

// Forget implements reception.Kernel.
func (k *Kernel[S]) Forget(t genl.Target) {
	k.Set(func() { k.forgotten = append(k.forgotten, t.Family) })
}

// ForgetUnclaimed implements reception.Kernel.
func (*Kernel[S]) ForgetUnclaimed() {}

// Forgotten returns the families that Forget was called for.
func (k *Kernel[S]) Forgotten() (families []string) {
	k.Set(func() { families = slices.Clone(k.forgotten) })
	return families
}

// Socket returns the socket that was opened last.
func (k *Kernel[S]) Socket() *Socket {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sockets[len(k.sockets)-1]
}

// SocketOf returns the socket that was opened last for a family, or nil.
func (k *Kernel[S]) SocketOf(family string) *Socket {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range slices.Backward(k.sockets) {
		if s.family == family {
			return s
		}
	}
	return nil
}
