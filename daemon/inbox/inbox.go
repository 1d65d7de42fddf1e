// SPDX-License-Identifier: Apache-2.0

// Package inbox is the memory that batches are received into.
package inbox

import (
	"hash/crc32"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An Inbox is memory that is shared with a file. A batch is in it from the moment when the
// kernel delivers it until it is in the journal. So at no instruction a batch exists only
// in the memory of the process.
//
// The inbox numbers its batches: its generation is the number of the batch in it. The journal,
// which several inboxes may share, has generations of its own. It stores that of a batch in
// the inbox before it writes the batch. So the next process knows whether the journal contains
// the batch. If it does, the batch is ignored. If not, the process ended before it could
// append the batch. See Settle.
//
// The inbox also contains snapshots of the data that its user needs to continue from a
// generation.
// The snapshot for the generation after a batch is saved before the batch is appended. The
// snapshot before it remains until then. So a snapshot exists in both cases.
//
// The file belongs on a tmpfs: on a disk the mapping has page faults, and a fault may lose
// a message; see OnDisk. The file need not survive a power cut. The memory is for one
// goroutine; the other methods are safe for concurrent use, except SaveSnapshot.
type Inbox struct {
	mapping []byte
	header  *header
	intact  [2]bool // of the snapshots

	// Discarded is why the file of an earlier process could not be used. Its batch, if any,
	// is lost. It is nil if the file was used, or did not exist.
	Discarded error
	// Unbacked is why the memory does not have a file, or nil. Without a file a batch is lost
	// when the process is killed.
	Unbacked error
	// OnDisk reports that the file is not on a tmpfs. The kernel may then have to read a page,
	// or to make it writable again after writeback, while it copies a message. If a SIGKILL is
	// pending, that fault fails with EFAULT, and the message is lost.
	OnDisk bool
}

// A header is the beginning of the file. Its form is the same for all sizes of a batch.
type header struct {
	magic      uint64
	size       int64 // of the memory
	generation atomic.Uint64
	snapshots  [2]snapshot
	version    uint64 // of the file; 0 in files from before there were versions

	// Since version 2. Before, generation was also that of the journal.
	assigned    atomic.Uint64 // the journal's generation of a batch, 0 before it is assigned
	assignedFor atomic.Uint64 // the generation of the inbox at that time: the number of this batch
}

// A snapshot with a wrong checksum was being written when the process ended.
type snapshot struct {
	checksum   uint32 // of the following fields, and the used part of data
	length     uint32
	generation uint64
	version    uint64 // the newer snapshot has the higher version
	data       [SnapshotBytes]byte
}

const (
	// SnapshotBytes is the maximum length of a snapshot.
	SnapshotBytes = 1024

	magic      = 0x32786f626e69_4c47 // "GLinbox2" in memory
	version    = 2
	headerSize = 4096 // so that the memory has the alignment of a page
)

// Memory returns the memory for a batch. It has the alignment of a page.
func (b *Inbox) Memory() []byte { return b.mapping[headerSize:] }

// Generation returns the generation of the batch in the memory, or of the next batch.
func (b *Inbox) Generation() uint64 { return b.header.generation.Load() }

// Advance ends the current batch, which was appended to the journal, and sets the generation
// to that of the next batch. The memory must not contain a batch.
func (b *Inbox) Advance() { b.header.generation.Store(b.Generation() + 1) }

// BeginAppend returns where the journal must store its generation of the current batch before
// it writes the batch. It is called before each attempt to append the batch.
func (b *Inbox) BeginAppend() *atomic.Uint64 {
	h := b.header
	h.assigned.Store(0) // first: the generation is that of an earlier batch
	h.assignedFor.Store(b.Generation())
	return &h.assigned
}

// Settle reports whether the journal contains the current batch, if the newest generation that
// was recovered when the journal was opened is recovered. It must be called for each inbox of
// a journal after the journal was opened, before anything is appended to it: the journal uses
// a generation again that was assigned to a batch and is not in the journal.
func (b *Inbox) Settle(recovered uint64) (journaled bool) { return b.header.settle(recovered) }

func (h *header) settle(recovered uint64) (journaled bool) {
	g := h.assigned.Load()
	if h.assignedFor.Load() == h.generation.Load() && g != 0 && g <= recovered {
		return true
	}
	h.assigned.Store(0)
	return false
}

// SaveSnapshot saves data for a process that continues from generation, which is that of
// the inbox or the next. The snapshot survives the end of the process at any instruction.
// SaveSnapshot does not change the last snapshot for the generation of the inbox.
func (b *Inbox) SaveSnapshot(generation uint64, data []byte) {
	i := 0
	if b.find(b.Generation()) == &b.header.snapshots[0] {
		i = 1
	}
	newest := uint64(1)
	for i := range b.header.snapshots {
		if b.intact[i] {
			newest = max(newest, b.header.snapshots[i].version+1)
		}
	}
	s := &b.header.snapshots[i]
	s.length = uint32(copy(s.data[:], data))
	s.generation, s.version = generation, newest
	s.checksum = s.sum()
	b.intact[i] = true
}

// LoadSnapshot returns the last snapshot for generation. Without one it returns the last
// snapshot of all: then the inbox belonged to another journal. It returns nil if there are
// no snapshots. The result is valid until the next SaveSnapshot.
func (b *Inbox) LoadSnapshot(generation uint64) []byte {
	s := b.find(generation)
	if s == nil {
		return nil
	}
	return s.data[:s.length]
}

// find returns the newest intact snapshot, preferring those for generation.
func (b *Inbox) find(generation uint64) (found *snapshot) {
	for i := range b.header.snapshots {
		s := &b.header.snapshots[i]
		if !b.intact[i] {
			continue
		}
		fits, best := s.generation == generation, found != nil && found.generation == generation
		if found == nil || fits && !best || fits == best && s.version > found.version {
			found = s
		}
	}
	return found
}

func (s *snapshot) valid() bool {
	return s.version != 0 && s.length <= SnapshotBytes && s.checksum == s.sum()
}

func (s *snapshot) sum() uint32 {
	const from = unsafe.Offsetof(snapshot{}.length)
	whole := (*[unsafe.Sizeof(snapshot{})]byte)(unsafe.Pointer(s))
	end := unsafe.Offsetof(snapshot{}.data) + uintptr(min(s.length, SnapshotBytes))
	return crc32.Checksum(whole[from:end], crc32.MakeTable(crc32.Castagnoli))
}

// Close unmaps the memory. Its content remains in the file.
func (b *Inbox) Close() error { return unix.Munmap(b.mapping) }
