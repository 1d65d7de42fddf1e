// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batchMessages = 64   // limits one recvmmsg to about 50 us: the scheduler does not know of the call
	slotBytes     = 8192 // the tutorial's module sends messages of up to 4,124 bytes
)

// mmsghdr is struct mmsghdr of recvmmsg(2), which golang.org/x/sys lacks.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// layout is a batch in memory. recvmmsg(2) fills it. Everything in it is valid in
// another process too, except the pointers, which Batch sets again.
type layout struct {
	headers [batchMessages]mmsghdr
	iovecs  [batchMessages]unix.Iovec
	senders [batchMessages]unix.RawSockaddrNetlink
	slots   [batchMessages][slotBytes]byte
}

// controls follow the layout if the socket reports the group of each message.
type controls [batchMessages]groupControl

// A groupControl is the control message NETLINK_PKTINFO of netlink(7) with its
// struct nl_pktinfo.
type groupControl struct {
	hdr   unix.Cmsghdr
	group uint32
	_     [4]byte
}

// BatchBytes returns the size of the memory that a Batch of the target needs.
func BatchBytes(t Target) int {
	if t.IsGenltest() {
		return int(unsafe.Sizeof(layout{}))
	}
	return int(unsafe.Sizeof(layout{}) + unsafe.Sizeof(controls{}))
}

// A Batch is the memory that one recvmmsg(2) fills. It may be mapped from a file.
// Messages that the kernel has delivered then survive the process, and a later process
// reads them with Pending. It is not safe for concurrent use.
type Batch struct {
	*layout
	controls *controls // nil for genltest, which has one group
	messages [batchMessages]Message
	filled   int // upper bound of the headers that have a length
}

// NewBatch places a batch for messages of the target in memory, which must be page-aligned
// and stay mapped while the batch is used. It does not change the contents.
func NewBatch(memory []byte, t Target) (*Batch, error) {
	if len(memory) < BatchBytes(t) || uintptr(unsafe.Pointer(&memory[0]))%unsafe.Alignof(layout{}) != 0 {
		return nil, fmt.Errorf("place a batch in %d bytes: the memory is too small or not aligned", len(memory))
	}
	b := &Batch{layout: (*layout)(unsafe.Pointer(&memory[0])), filled: batchMessages}
	if !t.IsGenltest() {
		b.controls = (*controls)(unsafe.Pointer(&memory[unsafe.Sizeof(layout{})]))
	}
	for i := range b.messages {
		b.messages[i].Data = b.slots[i][:]
	}
	return b, nil
}

// empty is the length of a slot without a message. It is not 0, because a message may
// be empty.
const empty = ^uint32(0)

// Pending returns the messages of the last receive that were not cleared, whether this
// process or an earlier one received them. Its result is undefined for new memory: call
// Clear first.
func (b *Batch) Pending() []Message {
	n := 0
	for n < batchMessages && b.headers[n].len != empty {
		n++
	}
	return b.collect(n)
}

// Clear removes the received messages. It clears the first one first, so that a batch
// that is partly cleared is empty.
func (b *Batch) Clear() {
	filled := b.headers[:b.filled]
	for i := range filled {
		filled[i].len = empty
	}
	if b.controls != nil {
		for i := range filled {
			b.controls[i] = groupControl{}
			filled[i].hdr.SetControllen(int(unsafe.Sizeof(groupControl{})))
		}
	}
	b.filled = 0
}

// collect returns the first n messages. The lengths may be wrong if the file is
// damaged.
func (b *Batch) collect(n int) []Message {
	messages, headers, senders := b.messages[:n], b.headers[:n], b.senders[:n]
	for i := range messages {
		h, m := &headers[i], &messages[i]
		m.Data = m.Data[:min(h.len, slotBytes)]
		m.Sender = senders[i].Pid
		m.Truncated = h.hdr.Flags&unix.MSG_TRUNC != 0
	}
	if b.controls != nil {
		b.collectGroups(messages)
	}
	return messages
}

// collectGroups sets the groups of the first messages.
func (b *Batch) collectGroups(messages []Message) {
	for i := range messages {
		messages[i].Group = 0
		if c := &b.controls[i]; c.hdr == groupHeader {
			messages[i].Group = c.group
		}
	}
}

// groupHeader is the header of a complete groupControl.
var groupHeader = unix.Cmsghdr{Len: unix.SizeofCmsghdr + 4, Level: unix.SOL_NETLINK, Type: unix.NETLINK_PKTINFO}

// Put stores messages in the batch as the kernel does. It is for tests of Pending.
func (b *Batch) Put(messages ...Message) {
	b.Clear()
	b.filled = len(messages)
	for i, m := range messages {
		copy(b.slots[i][:], m.Data)
		b.senders[i].Pid = m.Sender
		b.headers[i].len = uint32(len(m.Data))
		if b.controls != nil {
			b.controls[i] = groupControl{hdr: groupHeader, group: m.Group}
		}
	}
}

// prepare sets the pointers of the headers to addresses of this process. It keeps the
// messages of an earlier process.
func (b *Batch) prepare() {
	for i := range b.headers {
		b.iovecs[i].Base = &b.slots[i][0]
		b.iovecs[i].SetLen(slotBytes)
		b.headers[i].hdr = unix.Msghdr{
			Name: (*byte)(unsafe.Pointer(&b.senders[i])), Namelen: unix.SizeofSockaddrNetlink,
			Iov: &b.iovecs[i], Iovlen: 1, Flags: b.headers[i].hdr.Flags,
		}
		if b.controls != nil {
			b.headers[i].hdr.Control = (*byte)(unsafe.Pointer(&b.controls[i]))
			b.headers[i].hdr.SetControllen(int(unsafe.Sizeof(groupControl{})))
		}
	}
}

// receive reads at most one batch from fd without blocking. The batch must be cleared.
// The kernel replaces the flags and the lengths of the address and of the control messages;
// a netlink address always has the length that prepare set.
//
// It uses RawSyscall because Syscall wakes the runtime's monitor thread whenever the
// process was idle, which triples the CPU time per event at 1,000 events a second.
// RawSyscall is safe here because MSG_DONTWAIT and the batch size limit the time of the
// call.
func (b *Batch) receive(fd uintptr) ([]Message, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd,
		uintptr(unsafe.Pointer(&b.headers[0])), batchMessages, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return nil, errno
	}
	b.filled = int(n)
	return b.collect(int(n)), nil
}
