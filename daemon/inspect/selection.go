// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"encoding/base64"
	"unicode/utf8"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/record"
)

// A selection selects and encodes the events of one query. One goroutine uses it.
type selection struct {
	decoder *record.Decoder
	rules   *match.Rules // extract and filter
	sample  uint64       // 0 and 1 select all
	ofSink  bool
	encoder event.Encoder // of the sink; nil if its output is that of the query
}

// selectionOf returns the selection of a query. Of the rules of a sink, it applies those that
// depend on the event alone: extract, filter and sample. The effect of dedup and rate_limit
// depends on all events before, so the selection contains events that they may suppress.
func (i *Inspector) selectionOf(q *api.EventsQuery) (*selection, error) {
	s, o := &selection{decoder: i.Decoder, ofSink: q.Sink != ""}, match.Options{Filter: q.Filter}
	if q.Sink != "" {
		c, err := i.sink(q.Sink)
		if err != nil {
			return nil, err
		}
		rules := pipeline.RuleOptions(c)
		o.Filter, o.Extract, s.sample = rules.Filter, rules.Extract, uint64(max(rules.Sample, 1))
		if c.Form() != config.EnvelopeJSON {
			if s.encoder, err = pipeline.NewEncoder(c); err != nil {
				return nil, err
			}
		}
	}
	var err error
	if s.rules, err = i.compiler().Compile(o); err != nil {
		return nil, invalid(err)
	}
	return s, nil
}

// all reports whether the selection contains each event.
func (s *selection) all(q *api.EventsQuery) bool { return q.Sink == "" && q.Filter == "" }

// event returns the event of a record, and whether it is selected. As in delivery, an event for
// which the filter fails passes.
func (s *selection) event(r journal.Record) (e event.Event, selected bool, err error) {
	e, err = s.decoder.Peek(r)
	if e.Canary && s.ofSink {
		return e, false, err
	}
	verdict, _ := s.rules.Evaluate(&e)
	return e, verdict == match.Pass && (e.Gap != nil || match.Sampled(&e, s.sample)), err
}

// appendLine appends the line of a record, or nothing if the record is not selected.
func (s *selection) appendLine(dst []byte, r journal.Record) []byte {
	e, selected, err := s.event(r)
	if !selected {
		return dst
	}
	if err != nil {
		dst, _ = s.decoder.AppendJSON(dst, e.JournalID, r) // the line contains the error
		return append(dst, '\n')
	}
	dst = e.AppendJSON(dst)
	if s.encoder != nil {
		dst = s.appendEncoded(dst[:len(dst)-1], &e)
	}
	return append(dst, '\n')
}

// appendEncoded appends the output of the sink's envelope to the object of an event without its
// end, and the end.
func (s *selection) appendEncoded(dst []byte, e *event.Event) []byte {
	encoded, err := s.encoder.Append(nil, e)
	if err != nil {
		return append(event.AppendJSONText(append(dst, `,"encode_error":"`...), err.Error()), `"}`...)
	}
	dst = append(event.AppendJSONText(append(dst, `,"encoded":"`...), encoded), '"')
	if !utf8.Valid(encoded) {
		dst = append(dst, `,"encoded_base64":"`...)
		dst = append(base64.StdEncoding.AppendEncode(dst, encoded), '"')
	}
	return append(dst, '}')
}
