// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/metrics"
)

// sinkStatus returns the state of each configured sink.
func (d *Daemon) sinkStatus() []api.Sink {
	list := []api.Sink{}
	for _, s := range d.pipelines.Status() {
		list = append(list, d.statusOf(&s))
	}
	return list
}

func (d *Daemon) statusOf(s *pipeline.State) api.Sink {
	shown := api.Sink{
		Name: s.Name, Kind: s.Kind, State: stateOf(&s.SinkState), Faults: faultsOf(s),
		Events: s.Events, Delivered: s.Delivered, Filtered: s.Filtered, Suppressed: s.Suppressed, Dropped: s.Dropped,
		DeadLettered: s.DeadLettered, Waiting: s.Waiting, InFlight: s.InFlight, Failures: s.Failures, LagBytes: s.LagBytes,
		LastErrorAt: timeOrNil(s.LastFailureAt), NextAttempt: timeOrNil(s.NextAttempt), LastDelivery: timeOrNil(s.LastDelivery),
		Latency: latencyOf(s), DeadLetters: s.DeadLetters,
	}
	if s.LastFailure != nil {
		shown.LastError = oneLine(s.LastFailure, maxPageFault)
	}
	if !s.Oldest.IsZero() {
		shown.BehindS = d.clock.Age(s.Oldest).Seconds()
	}
	return shown
}

// stateOf returns one of the states of a sink.
func stateOf(s *metrics.SinkState) string {
	switch {
	case len(s.Faults) == 1 && s.Faults[0].Reason == metrics.FaultAttempt:
		return api.SinkRetrying
	case len(s.Faults) > 0:
		return api.SinkFailing
	case s.Waiting+s.InFlight > 0:
		return api.SinkDelivering
	}
	return api.SinkIdle
}

// faultsOf returns the faults of a sink. If it is unknown since when its oldest event waits,
// that is one of them.
func faultsOf(s *pipeline.State) []api.Fault {
	faults := []api.Fault{}
	for _, f := range s.Faults {
		faults = append(faults, api.Fault{Reason: f.Reason, Text: oneLine(f.Err, maxPageFault), Since: timeOrNil(f.Since)})
	}
	if s.Unread != nil {
		err := fmt.Errorf("cannot read since when its oldest event waits: %w", s.Unread)
		faults = append(faults, api.Fault{Reason: metrics.FaultJournal, Text: oneLine(err, maxPageFault)})
	}
	return faults
}

func latencyOf(s *pipeline.State) api.Latency {
	d := metrics.DistributionOf(s.Latency)
	l := api.Latency{Count: d.Count, Sum: d.Sum, Buckets: []api.LatencyBucket{}}
	for _, b := range d.Buckets {
		l.Buckets = append(l.Buckets, api.LatencyBucket{Seconds: b.Limit, Count: b.Count})
	}
	return l
}
