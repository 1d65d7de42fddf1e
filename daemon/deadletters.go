// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"slices"

	"github.com/genltestd/genltestd/daemon/control"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/record"
)

// deadLetterAPI implements control.DeadLetters: the operator's access to the dead letters of
// the configured sinks.
type deadLetterAPI struct {
	pipelines *pipeline.Set
	decoder   *record.Decoder
}

var _ control.DeadLetters = deadLetterAPI{}

func (d *Daemon) deadLetters() deadLetterAPI { return deadLetterAPI{d.pipelines, d.decoder} }

// Boxes returns the counters of each box.
func (a deadLetterAPI) Boxes() []api.Box {
	var list []api.Box
	for _, p := range a.pipelines.All() {
		s := p.Letters().Stats()
		box := api.Box{Sink: p.Name, Letters: s.Live, ToReplay: s.Marked, Bytes: s.Bytes, Expired: s.Expired, Damaged: s.Damaged}
		if err := p.Letters().Fault(); err != nil {
			box.Fault = err.Error()
		}
		list = append(list, box)
	}
	return list
}

func (a deadLetterAPI) box(sink string) (*deadletter.Box, error) {
	if p := a.pipelines.Of(sink); p != nil {
		return p.Letters(), p.Letters().Fault()
	}
	if err := a.pipelines.Fault(sink); err != nil {
		return nil, fmt.Errorf("the sink %s is not open: %w", sink, err)
	}
	return nil, control.UnknownSink(sink)
}

// lettersAtOnce bounds the memory of a listing.
const lettersAtOnce = 512

// Letters calls visit for each letter of a sink. It may skip letters that are removed meanwhile.
func (a deadLetterAPI) Letters(sink string, visit func(*api.Letter) error) error {
	box, err := a.box(sink)
	if err != nil {
		return err
	}
	for ids := range slices.Chunk(box.IDs(), lettersAtOnce) {
		letters, err := box.Get(ids...)
		if err != nil {
			return err
		}
		for i := range letters {
			l, err := a.letter(&letters[i])
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

// Letter returns one letter.
func (a deadLetterAPI) Letter(sink, id string) (*api.Letter, error) {
	box, err := a.box(sink)
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
	return a.letter(&letters[0])
}

func unknownLetter(sink, id string) error {
	return fmt.Errorf("%w event %q: not, or no longer, a dead letter of sink %s", control.ErrUnknown, id, sink)
}

// letter returns a letter with its event as sinks write it.
func (a deadLetterAPI) letter(l *deadletter.Letter) (*api.Letter, error) {
	shown := &api.Letter{
		ID: l.ID.String(), Received: l.Received.UTC(), Refused: l.Refused.UTC(),
		Attempts: l.Attempts, Reason: l.Reason, Kind: l.Kind, Status: l.Status,
	}
	var err error
	shown.Event, err = a.decoder.AppendJSON(nil, l.ID.Journal, journal.Record{Seq: l.ID.Seq, Time: l.Received, Data: l.Data})
	return shown, err
}

// Replay marks letters, which the worker of the sink then delivers again.
func (a deadLetterAPI) Replay(sink string, s api.Selection) (int, error) {
	return a.change(sink, s, (*deadletter.Box).RequestReplay)
}

// Drop removes letters.
func (a deadLetterAPI) Drop(sink string, s api.Selection) (int, error) {
	return a.change(sink, s, (*deadletter.Box).Remove)
}

func (a deadLetterAPI) change(sink string, s api.Selection, do func(*deadletter.Box, ...deadletter.ID) (int, error)) (int, error) {
	box, err := a.box(sink)
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
