// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"slices"

	"github.com/genltestd/genltestd/daemon/control"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/journal"
)

// boxes show the operator's client the dead letters of the sinks that there are.
type boxes struct{ daemon *Daemon }

var _ control.DeadLetters = boxes{}

// Boxes counts what is in each box.
func (b boxes) Boxes() []api.Box {
	var list []api.Box
	for _, w := range b.daemon.crew() {
		s := w.letters.Stats()
		box := api.Box{Sink: w.Name, Letters: s.Live, ToReplay: s.Marked, Bytes: s.Bytes, Expired: s.Expired, Damaged: s.Damaged}
		if err := w.letters.Fault(); err != nil {
			box.Fault = err.Error()
		}
		list = append(list, box)
	}
	return list
}

func (b boxes) box(sink string) (*deadletter.Box, error) {
	if w := b.daemon.workerOf(sink); w != nil {
		return w.letters, w.letters.Fault()
	}
	if p := b.daemon.pendingOf(sink); p != nil {
		return nil, fmt.Errorf("the sink %s is not open: %w", sink, p.fault)
	}
	return nil, control.UnknownSink(sink)
}

// lettersAtOnce bounds what a listing holds in memory.
const lettersAtOnce = 512

// Letters shows a sink's letters. One that is removed meanwhile may be left out.
func (b boxes) Letters(sink string, visit func(*api.Letter) error) error {
	box, err := b.box(sink)
	if err != nil {
		return err
	}
	for ids := range slices.Chunk(box.IDs(), lettersAtOnce) {
		letters, err := box.Get(ids...)
		if err != nil {
			return err
		}
		for i := range letters {
			l, err := b.show(&letters[i])
			if err == nil {
				err = visit(l)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// Letter shows one letter.
func (b boxes) Letter(sink, id string) (*api.Letter, error) {
	box, err := b.box(sink)
	if err != nil {
		return nil, err
	}
	name, err := deadletter.ParseID(id)
	if err != nil {
		return nil, fmt.Errorf("%w event: %w", control.ErrUnknown, err)
	}
	letters, err := box.Get(name)
	if err != nil {
		return nil, err
	}
	if len(letters) == 0 {
		return nil, unknownLetter(sink, id)
	}
	return b.show(&letters[0])
}

func unknownLetter(sink, id string) error {
	return fmt.Errorf("%w event %q: sink %s has no such dead letter (any more)", control.ErrUnknown, id, sink)
}

// show writes the event as the sinks do.
func (b boxes) show(l *deadletter.Letter) (*api.Letter, error) {
	shown := &api.Letter{ID: l.ID.String(), Received: l.Received.UTC(), Refused: l.Refused.UTC(), Attempts: l.Attempts, Reason: l.Reason, Kind: l.Kind, Status: l.Status}
	var err error
	shown.Event, err = b.daemon.decoder.AppendJSON(nil, l.ID.Journal, journal.Record{Seq: l.ID.Seq, Time: l.Received, Data: l.Data})
	return shown, err
}

// Replay marks letters for the worker of the sink.
func (b boxes) Replay(sink string, s api.Selection) (int, error) {
	return b.change(sink, s, (*deadletter.Box).RequestReplay)
}

// Drop removes letters.
func (b boxes) Drop(sink string, s api.Selection) (int, error) {
	return b.change(sink, s, (*deadletter.Box).Remove)
}

func (b boxes) change(sink string, s api.Selection, do func(*deadletter.Box, ...deadletter.ID) (int, error)) (int, error) {
	box, err := b.box(sink)
	if err != nil {
		return 0, err
	}
	if s.All {
		return do(box, box.IDs()...)
	}
	ids := make([]deadletter.ID, len(s.IDs))
	for i, text := range s.IDs {
		if ids[i], err = deadletter.ParseID(text); err != nil {
			return 0, fmt.Errorf("%w event: %w", control.ErrUnknown, err)
		}
		if !box.Has(ids[i]) {
			return 0, unknownLetter(sink, text)
		}
	}
	return do(box, ids...)
}
