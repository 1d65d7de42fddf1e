// SPDX-License-Identifier: Apache-2.0

package delivery

// A Progress is how far a worker is with one record of the journal.
type Progress int

const (
	// Unread means that the record is in no batch: the worker has not read it, is filling a batch
	// with it, or has finished it.
	Unread Progress = iota
	// Rejected means that the rules did not let the event pass, and that the cursor has not
	// passed it yet.
	Rejected
	// InFlight means that the event is in a batch, without an outcome yet.
	InFlight
	// Delivered means that the sink has accepted the event, and that the cursor has not passed it yet.
	Delivered
	// DeadLettered means that the event was written to the dead letters; likewise.
	DeadLettered
	// Dropped means that a limit of the sink dropped the event; likewise.
	Dropped
)

// ProgressOf returns the progress with the record of that number. It is for single requests: its cost
// grows with the number of events in the open batches.
func (w *Worker) ProgressOf(seq uint64) Progress { return w.account.progressOf(seq) }

func (a *account) progressOf(seq uint64) Progress {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, b := range a.open {
		if b.replay {
			continue
		}
		end := b.last.Seq // 0 if the batch ends with an item
		for i := range b.items {
			item := &b.items[i]
			switch {
			case item.summary:
			case item.record.Seq == seq:
				return b.progress(i)
			default:
				end = max(end, item.record.Seq)
			}
		}
		if seq <= end {
			return Rejected // earlier records are in earlier batches, or the cursor has passed them
		}
	}
	return Unread
}

// progress returns the progress with an item. The caller must hold the lock of the account, so only
// the outcomes that are counted may be read: the sender is setting the others.
func (b *batch) progress(i int) Progress {
	if i >= b.counted {
		return InFlight
	}
	switch b.items[i].outcome {
	case delivered:
		return Delivered
	case deadLettered:
		return DeadLettered
	}
	return Dropped
}
