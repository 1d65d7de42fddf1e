// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/metrics"
)

// A target is a sink with answers that the test sets.
type target struct {
	mu       sync.Mutex
	accepted []uint64
	tests    []event.Event                                        // accepted test events
	sizes    []int                                                // events in each attempt
	bytes    []int                                                // length of the texts in each attempt
	at       []time.Time                                          // time of each attempt
	answer   func(events []event.Event) (accepted int, err error) // nil accepts all
	block    bool                                                 // Deliver blocks until the context of the attempt ends
	closed   int
}

func (s *target) Deliver(ctx context.Context, events []event.Event) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sizes, s.at = append(s.sizes, len(events)), append(s.at, time.Now())
	bytes := 0
	for _, e := range events {
		bytes += len(e.Message)
	}
	s.bytes = append(s.bytes, bytes)
	if s.block {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	n, err := len(events), error(nil)
	if s.answer != nil {
		n, err = s.answer(events)
	}
	for _, e := range events[:min(max(n, 0), len(events))] {
		if e.Test != nil {
			s.tests = append(s.tests, e)
			continue
		}
		s.accepted = append(s.accepted, e.Seq)
	}
	return n, err
}

func (s *target) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}

// answers replaces the answer of the sink.
func (s *target) answers(f func(events []event.Event) (int, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

func (s *target) attempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sizes)
}

// rules return the verdicts that the test sets. By default all events pass.
type rules struct {
	evaluate  func(e *event.Event) (match.Verdict, error)
	summaries func(dst []event.Event, now time.Time, end bool) []event.Event
}

// noCaptures are the captures of test events.
var noCaptures = []event.Capture{{Name: "disk"}}

func (*rules) SetNoCaptures(e *event.Event) { e.Captures = noCaptures }

func (r *rules) Evaluate(e *event.Event) (match.Verdict, error) {
	if r.evaluate == nil {
		return match.Pass, nil
	}
	return r.evaluate(e)
}

func (r *rules) Summaries(dst []event.Event, now time.Time, end bool) []event.Event {
	if r.summaries == nil {
		return dst
	}
	return r.summaries(dst, now, end)
}

// A box stores dead letters in memory.
type box struct {
	mu      sync.Mutex
	letters []deadletter.Letter
	marked  []deadletter.Letter // marked for replay
	err     error
	sizes   []int  // number of letters in each Add
	onAdd   func() // may be nil
}

func (b *box) Add(letters ...deadletter.Letter) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.onAdd != nil {
		b.onAdd()
	}
	if b.err != nil {
		return b.err
	}
	b.sizes = append(b.sizes, len(letters))
	for _, l := range letters {
		b.take(l.ID)
		l.Data = bytes.Clone(l.Data)
		b.letters = append(b.letters, l)
	}
	return nil
}

func (b *box) Remove(ids ...deadletter.ID) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.letters)
	b.take(ids...)
	return before - len(b.letters), nil
}

func (b *box) take(ids ...deadletter.ID) {
	named := func(l deadletter.Letter) bool { return slices.Contains(ids, l.ID) }
	b.letters, b.marked = slices.DeleteFunc(b.letters, named), slices.DeleteFunc(b.marked, named)
}

func (b *box) NextReplay(atMost int) ([]deadletter.Letter, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.marked[:min(atMost, len(b.marked))]), nil
}

func (b *box) seqs() (seqs []uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.letters {
		seqs = append(seqs, l.ID.Seq)
	}
	return seqs
}

func open(t *testing.T, maxBytes int64) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.TempDir(), journal.Options{MaxBytes: maxBytes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

// A fixture is a running worker.
type fixture struct {
	*Worker
	route Route // initial route
	j     *journal.Journal
	box   *box
	log   *bytes.Buffer
	done  chan struct{}
	stop  context.CancelFunc
}

// start runs a worker for the sinks on j. change may modify its configuration.
func start(t *testing.T, j *journal.Journal, change func(*Config), sinks ...sink.Sink) fixture {
	t.Helper()
	return startAs(t, fmt.Sprint("x", len(j.Cursors())), j, change, sinks...)
}

// startAs runs a worker with the cursor of that name.
func startAs(t *testing.T, name string, j *journal.Journal, change func(*Config), sinks ...sink.Sink) fixture {
	t.Helper()
	f := fixture{j: j, box: &box{}, log: &bytes.Buffer{}, done: make(chan struct{})}
	reader, err := j.NewReader(name, journal.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		Name: "x", Reader: reader, Letters: f.box,
		Route: Route{
			Sinks: sinks, Rules: &rules{},
			Options: Options{
				BatchEvents: 10, BatchBytes: 1 << 20, AttemptTimeout: 5 * time.Second,
				RetryMin: 100 * time.Millisecond, RetryMax: 10 * time.Second,
			},
		},
		Decode: func(r journal.Record) (event.Event, error) {
			return event.Event{JournalID: j.ID(), Seq: r.Seq, Time: r.Time, Message: r.Data}, nil
		},
		State:    metrics.NewSinkState("x", match.Reasons()),
		Latency:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "x"}),
		EndToEnd: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "x"}),
		Log:      slog.New(slog.NewTextHandler(f.log, nil)),
	}
	if change != nil {
		change(&c)
	}
	f.Worker, f.route = NewWorker(c), c.Route
	var ctx context.Context
	ctx, f.stop = context.WithCancel(t.Context())
	go func() { defer close(f.done); f.Run(ctx) }()
	return f
}

// append journals n events, each in its own batch.
func (f fixture) append(t *testing.T, n int) {
	t.Helper()
	for range n {
		f.appendBatch(t, binary.NativeEndian.AppendUint64(nil, 1))
	}
}

func (f fixture) appendBatch(t *testing.T, texts ...[]byte) {
	t.Helper()
	if err := f.j.Append(nil, time.Now(), texts); err != nil {
		t.Error(err)
	}
}

// end waits for the worker, which must be ending.
func (f fixture) end(t *testing.T) {
	t.Helper()
	<-f.done
	f.stop()
}

// finish seals the journal, waits for the worker and checks the events that the sink accepted.
func (f fixture) finish(t *testing.T, s *target, n int) {
	t.Helper()
	f.j.Seal()
	f.end(t)
	wantAccepted(t, s, numbers(1, n))
	if s.closed == 0 {
		t.Error("the sink was not closed")
	}
}

func numbers(from, to int) (list []uint64) {
	for i := from; i <= to; i++ {
		list = append(list, uint64(i))
	}
	return list
}

func wantAccepted(t *testing.T, s *target, want []uint64) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if diff := cmp.Diff(want, s.accepted, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("events accepted (-want +got):\n%s", diff)
	}
}

// sum adds up all outcomes.
func sum(s metrics.SinkState) uint64 {
	n := s.Delivered + s.Filtered + s.DeadLettered + s.InFlight + s.Waiting
	for _, m := range []map[string]uint64{s.Dropped, s.Suppressed} {
		for _, k := range m {
			n += k
		}
	}
	return n
}
