// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"slices"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/metrics"
)

func statusOf(s *pipeline.State) api.Sink {
	shown := api.Sink{
		Name: s.Name, Kind: s.Kind, State: stateOf(&s.SinkState), Faults: faultsOfSink(&s.SinkState),
		Events: s.Events, Delivered: s.Delivered, Filtered: s.Filtered, Suppressed: s.Suppressed, Dropped: s.Dropped,
		DeadLettered: s.DeadLettered, Waiting: s.Waiting, InFlight: s.InFlight, Failures: s.Failures, LagBytes: s.LagBytes,
		LastErrorAt: timeOrNil(s.LastFailureAt), NextAttempt: timeOrNil(s.NextAttempt), LastDelivery: timeOrNil(s.LastDelivery),
		Latency: latencyOf(s), DeadLetters: s.DeadLetters, BehindS: s.Behind.Seconds(),
	}
	if s.LastFailure != nil {
		shown.LastError = oneLine(s.LastFailure, maxPageFault)
	}
	if s.Unread != nil {
		shown.Faults = append(shown.Faults, unreadFault(s.Unread))
	}
	return shown
}

// stateOf returns one of the states of a sink.
func stateOf(s *metrics.SinkState) string {
	switch {
	case slices.ContainsFunc(s.Faults, func(f metrics.SinkFault) bool { return f.Reason == metrics.FaultPaused }):
		return api.SinkPaused
	case slices.ContainsFunc(s.Faults, func(f metrics.SinkFault) bool { return !metrics.IsRetried(f.Reason) }):
		return api.SinkFailing
	case len(s.Faults) > 0:
		return api.SinkRetrying
	case s.Waiting+s.InFlight > 0:
		return api.SinkDelivering
	}
	return api.SinkIdle
}

func faultsOfSink(s *metrics.SinkState) []api.Fault {
	faults := []api.Fault{}
	for _, f := range s.Faults {
		faults = append(faults, api.Fault{Reason: f.Reason, Text: oneLine(f.Err, maxPageFault), Since: timeOrNil(f.Since)})
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
