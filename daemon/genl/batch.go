// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batchMessages = 64   // keeps one recvmmsg near 50 us, as it runs without the scheduler's knowledge
	slotBytes     = 8192 // the tutorial's module sends messages of up to 4,124 bytes
)

// mmsghdr is struct mmsghdr of recvmmsg(2), which golang.org/x/sys lacks.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// A batch is the memory that one recvmmsg(2) fills: headers, source addresses
// and slots, laid out once.
type batch struct {
	headers  [batchMessages]mmsghdr
	iovecs   [batchMessages]unix.Iovec
	senders  [batchMessages]unix.RawSockaddrNetlink
	messages [batchMessages]Message
	slots    []byte
}

func newBatch() *batch {
	b := &batch{slots: make([]byte, batchMessages*slotBytes)}
	for i := range b.headers {
		b.iovecs[i].Base = &b.slots[i*slotBytes]
		b.iovecs[i].SetLen(slotBytes)
		b.headers[i].hdr.Iov = &b.iovecs[i]
		b.headers[i].hdr.Iovlen = 1
		b.headers[i].hdr.Name = (*byte)(unsafe.Pointer(&b.senders[i]))
	}
	return b
}

// receive reads what is queued in fd, at most one batch, without blocking.
//
// RawSyscall and not Syscall: an ordinary system call wakes the runtime's
// monitor thread each time that the process was idle, which triples the CPU
// time per event at a thousand events a second. It is sound because
// MSG_DONTWAIT and the size of a batch bound the call.
func (b *batch) receive(fd uintptr) ([]Message, error) {
	for i := range b.headers {
		// The kernel writes both; a stale length of the address would cut it.
		b.headers[i].hdr.Namelen = unix.SizeofSockaddrNetlink
		b.headers[i].hdr.Flags = 0
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd,
		uintptr(unsafe.Pointer(&b.headers[0])), batchMessages, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return nil, errno
	}
	for i := range int(n) {
		h := &b.headers[i]
		b.messages[i] = Message{
			Data:      b.slots[i*slotBytes:][:h.len:slotBytes],
			Sender:    b.senders[i].Pid,
			Truncated: h.hdr.Flags&unix.MSG_TRUNC != 0,
		}
	}
	return b.messages[:n], nil
}
