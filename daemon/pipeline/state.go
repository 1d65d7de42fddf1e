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
	Kind    string
	Oldest  time.Time           // receipt of the oldest event without an outcome; zero without one
	Unread  error               // why Oldest is unknown
	Latency prometheus.Observer // a prometheus.Histogram; nil for a sink that is not open
}

// Status returns the states of all configured sinks, in the order of the configuration. It
// may read the journal.
func (s *Set) Status() (list []State) {
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
		st.Kind = cfg.Sinks[i].Kind
		if st.Oldest = st.OldestInFlight; st.Oldest.IsZero() && st.Waiting > 0 && reader != nil {
			st.Oldest, st.Unread = reader.Oldest()
		}
		list = append(list, st)
	}
	return list
}
