// SPDX-License-Identifier: Apache-2.0

package delivery

import "context"

// A queue passes batches to the senders of a session. It does not store batches, so a batch that is
// not full can be filled further until a sender is idle.
type queue struct {
	batches chan *batch
	idle    chan struct{} // has an element for each sender without a batch
	claimed bool          // a sender waits for the next batch
}

func newQueue(senders int) *queue {
	q := &queue{batches: make(chan *batch), idle: make(chan struct{}, senders)}
	for range senders {
		q.idle <- struct{}{}
	}
	return q
}

// serve delivers one batch after the other, and trials in between, until deliver reports false or the
// queue is closed.
func (q *queue) serve(deliver func(*batch) bool, trials <-chan *trial, test func(*trial)) {
	for {
		select {
		case b, ok := <-q.batches:
			if !ok || !deliver(b) {
				return
			}
			q.idle <- struct{}{}
		case t := <-trials:
			test(t)
		}
	}
}

// await waits for an idle sender, and claims it for the next batch. It reports whether it had to
// wait.
func (q *queue) await(ctx context.Context) (waited bool) {
	if q.claimed {
		return false
	}
	select {
	case <-q.idle:
		q.claimed = true
		return false
	default:
	}
	select {
	case <-q.idle:
		q.claimed = true
	case <-ctx.Done():
	}
	return true
}

// send passes a batch to an idle sender. It reports false if the context ended first.
func (q *queue) send(ctx context.Context, b *batch) bool {
	if q.await(ctx); !q.claimed {
		return false
	}
	q.claimed = false
	q.batches <- b
	return true
}

func (q *queue) close() { close(q.batches) }
