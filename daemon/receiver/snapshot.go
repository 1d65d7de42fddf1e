// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"encoding/binary"
	"time"

	"github.com/genltestd/genltestd/daemon/genl"
)

// ledgerVersion is the first word of a snapshot. Change it when the meaning or the number of
// the ledger's numbers changes.
const ledgerVersion = 1

// restore loads the ledger of an earlier process. Without one, or if the journal is not
// readable, the events that were missed while no daemon was running are unknown. The argument
// journaled is the result of Inbox.Settle.
func (r *Receiver) restore(journaled bool) {
	r.numbers = r.ledger.numbers()
	r.snapshot = make([]byte, snapshotLen(len(r.numbers)), maxSnapshot)
	generation := r.Inbox.Generation()
	if journaled {
		generation++
	}
	saved := r.Inbox.LoadSnapshot(generation)
	if length := snapshotLen(len(r.numbers)); len(saved) > length && versionOf(saved) == ledgerVersion {
		r.restoreRest(saved[length:])
		saved = saved[:length]
	}
	if l := &r.ledger; decode(saved, r.numbers) {
		r.countReceived(l.Received)
		for why, n := range l.Lost {
			r.lost[why].Add(float64(n))
		}
		r.family.Store(uint32(l.Family))
		return
	}
	if len(saved) > 0 {
		r.Log.Error("cannot read the ledger of the last process; its counters are lost, "+
			"and the number of events lost before this start is unknown unless the module numbers them",
			"version", versionOf(saved), "known_version", ledgerVersion)
	}
	if r.numbered {
		r.restoreNumber()
	}
}

// restoreRest reads the part of a snapshot after the numbers.
func (r *Receiver) restoreRest(b []byte) {
	if r.numbered {
		r.canary.text, r.canary.until = string(b), time.Now().Add(canaryTime)
		return
	}
	r.restoreGroups(b)
}

// restoreNumber reads the last number from the journal. It is valid unless the module was
// reloaded since. Records of other families may follow it.
func (r *Receiver) restoreNumber() {
	var last genl.Fields
	err := r.Journal.Tail(func(data []byte) (found bool) {
		if genl.IsGap(data) || genl.IsMulticast(data) {
			return false
		}
		fields, err := genl.Decode(data)
		if found = err == nil && fields.KernelSeq != 0; found {
			last = fields
		}
		return found
	})
	if err != nil {
		r.Log.Warn("cannot read the end of the journal; events that were multicast before this start are not counted", "error", err)
		return
	}
	r.ledger.LoadID, r.ledger.Seq = last.LoadID, last.KernelSeq
}

func (r *Receiver) hasPendingGaps() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ledger.hasPendingGaps()
}

// saveIfIdle saves the ledger with the generation of the next batch. It does nothing
// while a batch is held, because the ledger may then be ahead of the journal. The
// caller holds mu.
func (r *Receiver) saveIfIdle() {
	if !r.unsaved || r.holding {
		return
	}
	r.saveSnapshot(r.Inbox.Generation())
}

func (r *Receiver) saveSnapshot(generation uint64) {
	r.ledger.Family = uint64(r.Family())
	snapshot := encode(r.snapshot, r.numbers)
	if r.numbered {
		snapshot = append(snapshot, r.canary.text...)
	} else {
		snapshot = appendGroups(snapshot, r.groups)
	}
	r.Inbox.SaveSnapshot(generation, snapshot)
	r.unsaved = false
}

// snapshotLen returns the length of a snapshot of n numbers, in bytes.
func snapshotLen(n int) int { return 8 * (1 + n) }

// encode writes a version word and the numbers into b, whose length is snapshotLen. decode
// reads them on the same machine.
func encode(b []byte, numbers []*uint64) []byte {
	binary.NativeEndian.PutUint64(b, ledgerVersion)
	for i, p := range numbers {
		binary.NativeEndian.PutUint64(b[8*(1+i):], *p)
	}
	return b
}

// decode reads the numbers of a snapshot. Snapshots from before there were versions have no
// version word, and the numbers of version 1. decode reports false for any other version.
func decode(b []byte, numbers []*uint64) bool {
	if len(b) == snapshotLen(len(numbers)) && versionOf(b) == ledgerVersion {
		b = b[8:]
	}
	if len(b) != 8*len(numbers) {
		return false
	}
	for i, p := range numbers {
		*p = binary.NativeEndian.Uint64(b[8*i:])
	}
	return true
}

// versionOf returns the version word of a snapshot, or 0.
func versionOf(b []byte) uint64 {
	if len(b) < 8 {
		return 0
	}
	return binary.NativeEndian.Uint64(b)
}
