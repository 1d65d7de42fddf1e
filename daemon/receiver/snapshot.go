// SPDX-License-Identifier: Apache-2.0

package receiver

import "github.com/genltestd/genltestd/daemon/genl"

// restore takes up the ledger of an earlier process. Without one, and with a journal
// that cannot be read, it is not known what was missed while there was no daemon.
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
	// The numbers at least are in the journal, if the module was not reloaded since.
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
		r.Log.Warn("events that were multicast before this start cannot be counted", "error", err)
		return
	}
	r.ledger.LoadID, r.ledger.Seq = last.LoadID, last.KernelSeq
}

func (r *Receiver) hasPendingGaps() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ledger.hasPendingGaps()
}

// save puts the ledger beside the next batch's generation. While a batch is held
// it must not: the ledger may be ahead of the journal then. The caller holds mu.
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
