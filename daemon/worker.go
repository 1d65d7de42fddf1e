// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/delivery"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/metrics"
)

// A worker is all that belongs to one sink.
type worker struct {
	*delivery.Worker
	letters *deadletter.Box
}

// newWorker makes what delivers the journal to one sink. When it fails, nothing is
// left open.
func (d *Daemon) newWorker(c *config.Sink, decode delivery.Decoder, m *metrics.Metrics) (_ *worker, err error) {
	dc := delivery.Config{
		Name: c.Name, Decode: decode, Letters: d.boxes.of[c.Name], Options: deliveryOptions(c),
		State: metrics.NewSinkState(c.Name, match.Reasons()), Latency: m.SinkLatency.WithLabelValues(c.Name),
		Log: component(d.log, "delivery"),
	}
	var undo []func() error
	defer func() {
		for i := len(undo) - 1; err != nil && i >= 0; i-- {
			undo[i]() //nolint:errcheck // the first error tells more
		}
	}()
	for range c.Workers {
		s, err := newSink(c, &d.opts)
		if err != nil {
			return nil, err
		}
		undo = append(undo, s.Close)
		dc.Sinks = append(dc.Sinks, s)
	}
	if dc.Rules, err = newRules(c); err != nil {
		return nil, err
	}
	dc.Reader, err = d.journal.NewReader(c.Name, journal.ReaderOptions{
		Start: starts[c.Start], Pin: c.Overflow == config.OverflowBlock,
	})
	if err != nil {
		return nil, err
	}
	return &worker{delivery.NewWorker(dc), d.boxes.of[c.Name]}, nil
}

// State adds to the account of the delivery what others count.
func (w *worker) State() metrics.SinkState {
	s, letters := w.Worker.State(), w.letters.Stats()
	s.DeadLetters, s.DeadLetterBytes, s.DeadLettersExpired = letters.Live, letters.Bytes, letters.Expired+letters.Damaged
	for _, k := range w.Sinks {
		if b, ok := k.(sink.Broadcaster); ok {
			s.Missed += b.Missed()
		}
	}
	return s
}

// reopen has the sink let go of its file.
func (w *worker) reopen() {
	for _, s := range w.Sinks {
		if r, ok := s.(sink.Reopener); ok {
			r.Reopen()
		}
	}
}

var starts = map[config.Start]journal.Start{config.StartOldest: journal.FromOldest, config.StartNow: journal.FromEnd}

func deliveryOptions(c *config.Sink) delivery.Options {
	return delivery.Options{
		BatchEvents:    c.BatchEvents,
		BatchBytes:     int(c.BatchBytes),
		BatchWait:      time.Duration(c.BatchWait),
		AttemptTimeout: time.Duration(c.AttemptTimeout),
		RetryMin:       time.Duration(c.RetryMin),
		RetryMax:       time.Duration(c.RetryMax),
		MaxLagBytes:    int64(c.MaxLagBytes),
		MaxAge:         time.Duration(c.MaxAge),
	}
}
