// SPDX-License-Identifier: Apache-2.0

// Package fakekernel is a kernel in memory for tests of the receiver and the daemon. It has
// one family that can be registered and unregistered, and event sockets that can fail.
package fakekernel

import (
	"sync"

	"github.com/genltestd/genltestd/daemon/genl"
)

// A Kernel opens sockets and resolves the family. S is the interface of a socket as the
// receiver defines it; a *Socket must implement it. The methods are safe for concurrent
// use. The fields may be changed before the kernel is used, and later by Set.
type Kernel[S any] struct {
	IDs     genl.FamilyIDs // zero while the family is not registered
	OpenErr error          // of Open
	Opening func()         // called during Open
	Stored  *Socket        // returned by the next Open, if not nil
	Queue   int            // number of batches that a socket holds before Send blocks

	mu      sync.Mutex
	sockets []*Socket
}

// Set changes the fields.
func (k *Kernel[S]) Set(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change()
}

// Open implements receiver.Kernel.
func (k *Kernel[S]) Open(bufferBytes int, _ *genl.Batch) (opened S, report genl.SocketReport, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.Opening != nil {
		k.Opening()
	}
	if k.OpenErr != nil {
		return opened, report, k.OpenErr
	}
	s := k.Stored
	if k.Stored = nil; s == nil {
		s = newSocket(k.Queue, uint64(len(k.sockets)+1))
	}
	k.sockets = append(k.sockets, s)
	return any(s).(S), s.grant(bufferBytes), nil
}

// Resolve implements receiver.Kernel.
func (k *Kernel[S]) Resolve() (genl.Registry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return genl.Registry{Family: k.IDs, Free: [2]uint32{20, 21}}, nil
}

// Socket returns the socket that was opened last.
func (k *Kernel[S]) Socket() *Socket {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sockets[len(k.sockets)-1]
}
