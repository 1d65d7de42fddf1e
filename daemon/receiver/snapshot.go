// SPDX-License-Identifier: Apache-2.0

package receiver

import "github.com/genltestd/genltestd/daemon/genl"

// restore loads the ledger of an earlier process. Without one, or if the journal is not
// readable, the events that were missed while no daemon was running are unknown.
func (r *Receiver) restore() {
	r.numbers = r.ledger.numbers()
	r.snapshot = make([]byte, 8*len(r.numbers))
	if l := &r.ledger; decode(r.Inbox.Recall(r.Journal.LastGeneration()+1), r.numbers) {
		r.countReceived(l.Received)
		for why, n := range l.Lost {
			r.lost[why].Add(float64(n))
		}
		r.family.Store(uint32(l.Family))
		return
	}
	// The journal contains the last number, which is valid unless the module was
	// reloaded since.
	var last genl.Fields
	err := r.Journal.Tail(func(data []byte) {
		if genl.IsGap(data) {
			return
		}
		if fields, err := genl.Decode(data); err == nil && fields.KernelSeq != 0 {
			last = fields
		}
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
	r.Inbox.Remember(generation, encode(r.snapshot, r.numbers))
	r.unsaved = false
}
