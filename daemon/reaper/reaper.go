// SPDX-License-Identifier: Apache-2.0

// Package reaper waits for the orphans of programs where the daemon is process 1.
package reaper

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Reaper frees orphans of programs when the daemon is process 1, as in a container
// without an init: the kernel makes it the parent of all orphans, and a child without a
// waiting parent remains a zombie. It does not touch the programs that this package waits
// for. A nil *Reaper is valid, and its methods do nothing.
type Reaper struct {
	mu    sync.Mutex   // held while a program is started: an unknown child is an orphan
	ours  map[int]bool // processes that package os/exec waits for
	again chan struct{}
}

// New returns a reaper for process 1, nil in any other process.
func New() *Reaper {
	if os.Getpid() != 1 {
		return nil
	}
	return &Reaper{ours: map[int]bool{}, again: make(chan struct{}, 1)}
}

// Run reaps until the context ends.
func (r *Reaper) Run(ctx context.Context) {
	if r == nil {
		return
	}
	exited := make(chan os.Signal, 1)
	signal.Notify(exited, unix.SIGCHLD)
	defer signal.Stop(exited)
	for {
		r.reap()
		select {
		case <-exited:
		case <-r.again:
		case <-ctx.Done():
			return
		}
	}
}

// reap frees orphans up to the first child of this package. done is called when that child
// is free, and reap continues.
func (r *Reaper) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		pid := exitedChild()
		if pid == 0 || r.ours[pid] {
			return
		}
		if _, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// Start starts a program, and leaves it alone until Done. Start must return the process of
// the program.
func (r *Reaper) Start(start func() (pid int, err error)) error {
	if r == nil {
		_, err := start()
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err := start()
	if err == nil {
		r.ours[pid] = true
	}
	return err
}

// Done must be called for each program that was started, after it was waited for.
func (r *Reaper) Done(pid int) {
	if r == nil {
		return
	}
	r.mu.Lock()
	delete(r.ours, pid)
	r.mu.Unlock()
	select {
	case r.again <- struct{}{}:
	default: // it is about to look
	}
}

// exitedChild returns a child that has exited and leaves it a zombie; 0 means not found.
func exitedChild() int {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	if err != nil {
		return 0
	}
	// In a siginfo_t of SIGCHLD, the pid follows three integers, aligned as a pointer.
	const align = unsafe.Sizeof(uintptr(0))
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), (3*4+align-1)/align*align)))
}
