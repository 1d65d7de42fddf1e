// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"fmt"
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

// layout is how a batch lies in memory: what recvmmsg(2) fills, and nothing that
// is of use to one process only but pointers, which Batch sets anew.
type layout struct {
	headers [batchMessages]mmsghdr
	iovecs  [batchMessages]unix.Iovec
	senders [batchMessages]unix.RawSockaddrNetlink
	slots   [batchMessages][slotBytes]byte
}

// BatchBytes is the memory that a Batch needs.
const BatchBytes = int(unsafe.Sizeof(layout{}))

// A Batch is the memory that one recvmmsg(2) fills. It may be shared with a file:
// then what the kernel has handed over survives the process, and a later one
// finds it by Left. It is not safe for concurrent use.
type Batch struct {
	*layout
	messages [batchMessages]Message
	filled   int // at most so many headers have a length
}

// NewBatch lays a batch over memory, which must be aligned as a page is and stay
// mapped for as long as the batch is in use. It leaves alone what is in it.
func NewBatch(memory []byte) (*Batch, error) {
	if len(memory) < BatchBytes || uintptr(unsafe.Pointer(&memory[0]))%unsafe.Alignof(layout{}) != 0 {
		return nil, fmt.Errorf("a batch does not fit into %d bytes at this address", len(memory))
	}
	b := &Batch{layout: (*layout)(unsafe.Pointer(&memory[0])), filled: batchMessages}
	for i := range b.messages {
		b.messages[i].Data = b.slots[i][:]
	}
	return b, nil
}

// empty stands in place of a length while a slot holds no message. It is not 0:
// a message may have no bytes.
const empty = ^uint32(0)

// Left returns the messages of the last receive that were not cleared since: of
// this process, or of one that was killed. In new memory that is nonsense: call
// Clear first.
func (b *Batch) Left() []Message {
	n := 0
	for n < batchMessages && b.headers[n].len != empty {
		n++
	}
	return b.collect(n)
}

// Clear forgets the messages received. The first goes first, so that a batch
// half cleared is an empty one.
func (b *Batch) Clear() {
	filled := b.headers[:b.filled]
	for i := range filled {
		filled[i].len = empty
	}
	b.filled = 0
}

// collect describes the first n messages. Lengths may come from a file that
// somebody has damaged.
func (b *Batch) collect(n int) []Message {
	messages, headers, senders := b.messages[:n], b.headers[:n], b.senders[:n]
	for i := range messages {
		h, m := &headers[i], &messages[i]
		m.Data = m.Data[:min(h.len, slotBytes)]
		m.Sender = senders[i].Pid
		m.Truncated = h.hdr.Flags&unix.MSG_TRUNC != 0
	}
	return messages
}

// Put lays messages into the batch as the kernel does; for tests of what finds
// them there.
func (b *Batch) Put(messages ...Message) {
	b.Clear()
	b.filled = len(messages)
	for i, m := range messages {
		copy(b.slots[i][:], m.Data)
		b.senders[i].Pid = m.Sender
		b.headers[i].len = uint32(len(m.Data))
	}
}

// prepare points the headers to this process's addresses. What an earlier one
// has left stays.
func (b *Batch) prepare() {
	for i := range b.headers {
		b.iovecs[i].Base = &b.slots[i][0]
		b.iovecs[i].SetLen(slotBytes)
		b.headers[i].hdr = unix.Msghdr{
			Name: (*byte)(unsafe.Pointer(&b.senders[i])), Namelen: unix.SizeofSockaddrNetlink,
			Iov: &b.iovecs[i], Iovlen: 1,
		}
	}
}

// receive reads what is queued in fd, at most one batch, without blocking. The
// batch must have been cleared. The kernel writes flags and length of the address
// anew; a netlink address always has the length that prepare gave it.
//
// RawSyscall and not Syscall: an ordinary system call wakes the runtime's
// monitor thread each time that the process was idle, which triples the CPU
// time per event at a thousand events a second. It is sound because
// MSG_DONTWAIT and the size of a batch bound the call.
func (b *Batch) receive(fd uintptr) ([]Message, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd,
		uintptr(unsafe.Pointer(&b.headers[0])), batchMessages, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return nil, errno
	}
	b.filled = int(n)
	return b.collect(int(n)), nil
}
