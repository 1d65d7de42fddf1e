// SPDX-License-Identifier: Apache-2.0

package state

import (
	"sync"
	"sync/atomic"

	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

const (
	// ReserveStep is the number of numbers that are reserved at a time. After an unclean
	// stop the rest of the reserve is skipped, because it may have been used.
	ReserveStep = 1 << 20
	// LostStep is the number of numbers that are skipped if the reserve is not known.
	LostStep = 1 << 40
)

// A File is the state file of an open journal. It is safe for concurrent use. Of its
// locks, syncing is taken before writing.
type File struct {
	fs   vfs.FS
	path string

	syncing sync.Mutex // held during an fsync, and before writing
	writing sync.Mutex // guards what follows; not held during an fsync
	value   Value
	slots   *slot.File // nil until Start

	reserved atomic.Uint64 // durably: no higher number may be used
}

// New returns the file at path. Nothing is opened before Start.
func New(fs vfs.FS, path string) *File { return &File{fs: fs, path: path} }

// Path returns the path of the file.
func (f *File) Path() string { return f.path }

// Reserved returns the highest number that may be used.
func (f *File) Reserved() uint64 { return f.reserved.Load() }

// Start writes the value that first returns. The file is created unless known, which
// means that the file contains a valid value. Start makes an unclean stop the default:
// the next process finds Clean only after the journal was closed.
func (f *File) Start(known bool, first func() Value) error {
	f.syncing.Lock()
	defer f.syncing.Unlock()
	v := first()
	f.writing.Lock()
	if known && f.slots == nil {
		// If this fails the file is created again: its content is known.
		f.slots, _, _, _ = slot.Open(f.fs, f.path)
	}
	opened := f.slots != nil
	f.writing.Unlock()
	if opened {
		return f.change(func(old *Value) { *old = v })
	}
	return f.create(&v)
}

// create creates or replaces the file. The caller holds syncing.
func (f *File) create(v *Value) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	slots, err := slot.Create(f.fs, f.path, v.Encode())
	if err != nil {
		return err
	}
	f.slots, f.value = slots, *v
	f.reserved.Store(v.Reserved)
	return nil
}

// Reserve makes sure that numbers from next on are reserved durably, with at least half
// of ReserveStep to spare.
func (f *File) Reserve(next uint64) error {
	f.syncing.Lock()
	defer f.syncing.Unlock()
	if f.Reserved() > next+ReserveStep/2 {
		return nil
	}
	return f.change(func(v *Value) { v.Reserved, v.Clean = next+ReserveStep, false })
}

// Change changes the value durably.
func (f *File) Change(change func(*Value)) error {
	f.syncing.Lock()
	defer f.syncing.Unlock()
	return f.change(change)
}

// change is Change for callers that hold syncing. Changes by others in the meantime,
// which need not be durable, do not wait for the fsync.
func (f *File) change(change func(*Value)) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	v := f.value
	change(&v)
	if err := f.slots.Write(v.Encode()); err != nil {
		return err
	}
	f.value = v
	begun, err := f.slots.BeginSync()
	if err != nil || !begun {
		return err
	}
	slots := f.slots
	f.writing.Unlock()
	err = slots.Fsync()
	f.writing.Lock()
	if err = f.slots.EndSync(err); err != nil {
		return err
	}
	f.reserved.Store(v.Reserved)
	return nil
}

// NoteEnds notes which segments must exist: oldest before the segments before it are
// removed, newest once that segment is durable. 0 changes nothing. The note need not be
// durable: after a power cut fewer missing segments are noticed.
func (f *File) NoteEnds(oldest, newest uint64) {
	f.writing.Lock()
	defer f.writing.Unlock()
	v := f.value
	v.Oldest, v.Newest = max(v.Oldest, oldest), max(v.Newest, newest)
	if v == f.value || f.slots == nil {
		return
	}
	if f.slots.Write(v.Encode()) == nil {
		f.value = v
	}
}

// NoteSyncFailure notes for the next process that an fsync has failed, in case this
// process ends before it has written the data again. The note need not be durable: the data that
// it is about is in the same memory.
func (f *File) NoteSyncFailure() {
	f.writing.Lock()
	defer f.writing.Unlock()
	f.value.SyncFailed = true
	if f.slots == nil {
		return // the file still has the value of the last process, whose stop was not clean
	}
	_ = f.slots.Write(f.value.Encode()) // it overwrites a page in memory, and nothing else can be done
}

// Restore creates the file again if it has lost its name, which it reports. has reports
// whether a path leads to the file with this id.
func (f *File) Restore(has func(path string, id vfs.FileID) (bool, error)) (restored bool, err error) {
	f.syncing.Lock()
	defer f.syncing.Unlock()
	f.writing.Lock()
	v, before := f.value, f.slots
	f.writing.Unlock()
	info, err := before.Stat()
	if err != nil {
		return false, err
	}
	if ok, err := has(f.path, info.ID); ok || err != nil {
		return false, err
	}
	if err := f.create(&v); err != nil {
		return true, err
	}
	before.Close()
	return true, nil
}

// Close closes the file, without a sync.
func (f *File) Close() {
	if f.slots != nil {
		f.slots.Close()
	}
}
