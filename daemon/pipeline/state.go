// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/metrics"
)

// A State is the state of a sink, with details that the metrics do not have.
type State struct {
	metrics.SinkState
	Kind      string
	Oldest    time.Time           // receipt of the oldest event without an outcome; zero without one
	Unread    error               // why Oldest is unknown
	BatchWait time.Duration       // of the configuration
	Latency   prometheus.Observer // a prometheus.Histogram; nil for a sink that is not open
}

// Status returns the states of all configured sinks, in the order of the configuration. It
// may read the journal.
func (s *Set) Status() []State { return s.status((*journal.Reader).Oldest) }

// Measured is States, and sets Behind. It may read the journal. It does not wait for another call
// that reads the journal; Behind is 0 then.
func (s *Set) Measured() (states []metrics.SinkState) {
	for _, st := range s.status((*journal.Reader).TryOldest) {
		states = append(states, st.SinkState)
	}
	return states
}

func (s *Set) status(oldest func(*journal.Reader) (time.Time, error)) (list []State) {
	s.mu.Lock()
	cfg, open, waiting := s.cfg, s.pipelines, s.pending
	s.mu.Unlock()
	for i := range cfg.Sinks {
		st, reader := State{}, (*journal.Reader)(nil)
		name := cfg.Sinks[i].Name
		if at := slices.IndexFunc(open, func(p *Pipeline) bool { return p.Name == name }); at >= 0 {
			p := open[at]
			st.SinkState, st.Latency, reader = p.State(), p.Latency, p.reader
		} else if at := slices.IndexFunc(waiting, func(p *pending) bool { return p.cfg.Name == name }); at >= 0 {
			st.SinkState, reader = waiting[at].state(), waiting[at].reader
		}
		st.Kind, st.BatchWait = cfg.Sinks[i].Kind, time.Duration(cfg.Sinks[i].BatchWait)
		if st.Oldest = st.OldestInFlight; st.Oldest.IsZero() && st.Waiting > 0 && reader != nil {
			st.Oldest, st.Unread = oldest(reader)
		}
		if !st.Oldest.IsZero() {
			st.Behind = s.Clock.Age(st.Oldest)
		}
		list = append(list, st)
	}
	return list
}
