// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/genltestd/genltestd/daemon/genl"
)

// errLeft ends the receive loop after Leave.
var errLeft = errors.New("the receiver has left its groups")

// Leave ends the memberships of the socket. Run then returns as soon as the messages that are
// queued are journaled. If the socket fails, Run does not open another. Leave may be called at
// any time after New.
func (r *Receiver) Leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Target.Groups = []string{}
	if r.socket != nil {
		if _, err := r.socket.SetGroups(); err != nil {
			r.limits.Warn("cannot leave the multicast groups; events that arrive before the socket is closed may be lost", "error", err)
		}
	}
	r.publish(0)
	r.leaving.Store(true)
	if r.socket != nil {
		_ = r.socket.Interrupt() // the socket is closed next
	}
}

// HasLeft reports whether Run has returned because of Leave. All events are journaled then.
func (r *Receiver) HasLeft() bool { return r.left.Load() }

// receiveLast receives the messages that are queued after Leave. It returns errLeft if they
// are journaled, together with the pending gaps.
func (r *Receiver) receiveLast(ctx context.Context) error {
	for queued := uint32(1); queued > 0; {
		if err := r.socket.Resume(startOfReceive); err != nil {
			return err
		}
		err := r.socket.Receive(func(messages []genl.Message) error { return errors.Join(r.handle(ctx, messages), ctx.Err()) })
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if queued, err = r.socket.Queued(); err != nil {
			return err
		}
	}
	if err := r.CountDrops(); err != nil {
		return err
	}
	if err := r.journalGaps(ctx); err != nil {
		return err
	}
	return errLeft
}

// leaveWithoutSocket journals the batch in the inbox and the pending gaps, if the socket failed
// after Leave. If the context has ended, it does nothing: the next process continues.
func (r *Receiver) leaveWithoutSocket(ctx context.Context) error {
	if ctx.Err() != nil {
		return nil
	}
	r.mu.Lock()
	r.confirmUnclassified()
	r.mu.Unlock()
	r.collectOnce()
	err := r.journalPending(ctx)
	if err == nil {
		err = r.journalGaps(ctx)
	}
	if err != nil {
		return ignoreCanceled(ctx, err)
	}
	r.left.Store(true)
	return nil
}

// journalGaps journals the pending gaps after Leave.
func (r *Receiver) journalGaps(ctx context.Context) error {
	for r.hasPendingGaps() {
		if err := errors.Join(r.handle(ctx, nil), ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

// drain receives the queued messages when the daemon stops, because a later process may
// never adopt the socket. It also journals the pending gaps.
func (r *Receiver) drain(ctx context.Context) {
	end := time.Now().Add(drainTimeout)
	err := r.socket.Resume(startOfReceive)
	if err == nil {
		err = r.socket.Receive(func(messages []genl.Message) error {
			if time.Now().After(end) {
				return errors.Join(r.handle(ctx, messages), errDrainTimeout)
			}
			return r.handle(ctx, messages)
		})
	}
	if cerr := r.CountDrops(); cerr != nil {
		r.limits.Warn("cannot count lost events", "error", cerr)
	}
	for r.hasPendingGaps() && (err == nil || errors.Is(err, os.ErrDeadlineExceeded)) {
		err = r.handle(ctx, nil)
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		r.Log.Warn("stopping with events in the socket's buffer", "error", err)
	}
}

var errDrainTimeout = fmt.Errorf("events arrived faster than they were journaled for %s", drainTimeout)
