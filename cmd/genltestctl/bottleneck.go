// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/genltestd/genltestd/cmd/internal/plural"
	"github.com/genltestd/genltestd/daemon/control/api"
)

// A bottleneck is the stage that limits the flow of events.
type bottleneck struct {
	Stage string `json:"stage"` // "journal", "kernel buffer" or "sink"; empty without a bottleneck
	Name  string `json:"name"`  // of the family or the sink
	Text  string `json:"text"`
}

// bottleneckOf returns the first stage for which one of these conditions holds. An earlier stage holds up those
// after it, except that a journal that does not accept events makes the kernel buffers overflow.
//
//  1. The journal does not accept events.
//  2. A receive buffer of the kernel overflows.
//  3. A sink with waiting events does not deliver, because its attempts fail or it has another fault or is paused.
//  4. A sink accepts fewer events than arrive for it.
//  5. A sink has a backlog of more than a second, which becomes smaller.
//
// Of several such sinks, the result is the one with the oldest event.
func bottleneckOf(st *api.Status, l *loadForm) bottleneck {
	if !st.Journal.Accepting {
		return bottleneck{"journal", "", "the journal does not accept events, so the receive buffers become full"}
	}
	for _, d := range l.Drops {
		if d.Reason == "kernel_buffer" && d.Rate != nil && *d.Rate > 0 {
			return bottleneck{"kernel buffer", d.Name, fmt.Sprintf("the kernel buffer of %s overflows and loses %s events/s: "+
				"increase receiver.buffer", d.Name, rateText(d.Rate))}
		}
	}
	var worst *sinkLoad
	for i := range l.Sinks {
		if s := &l.Sinks[i]; s.text() != "" && (worst == nil || s.rank() < worst.rank() || s.rank() == worst.rank() && s.Behind > worst.Behind) {
			worst = s
		}
	}
	if worst == nil {
		return bottleneck{Text: "each stage keeps up"}
	}
	return bottleneck{"sink", worst.Name, worst.text()}
}

// The conditions in which a sink limits the flow, the most severe one first.
const (
	sinkBlocked = iota
	sinkSlow
	sinkCatchingUp
	sinkKeepsUp
)

func (s *sinkLoad) rank() int {
	moves := s.State == api.SinkIdle || s.State == api.SinkDelivering
	switch {
	case s.Waiting == 0:
		return sinkKeepsUp
	case !moves:
		return sinkBlocked
	case s.Behind <= 1:
		return sinkKeepsUp
	case s.incoming != nil && s.Rate != nil && *s.incoming > *s.Rate:
		return sinkSlow
	}
	return sinkCatchingUp
}

// text describes a sink that limits the flow. It is empty for any other sink.
func (s *sinkLoad) text() string {
	behind := fmt.Sprintf("%s, %s behind", plural.Count(s.Waiting, "event")+" waiting", secondsText(s.Behind))
	switch s.rank() {
	case sinkBlocked:
		return fmt.Sprintf("sink %s is %s: %s", s.Name, s.State, behind)
	case sinkSlow:
		return fmt.Sprintf("sink %s accepts %s of %s events/s: %s", s.Name, rateText(s.Rate), rateText(s.incoming), behind)
	case sinkCatchingUp:
		return fmt.Sprintf("sink %s reduces its backlog: %s", s.Name, behind)
	}
	return ""
}

// rateText returns a rate with up to three digits, or "-" if it is not known.
func rateText(rate *float64) string {
	switch {
	case rate == nil:
		return "-"
	case *rate == 0:
		return "0"
	case *rate < 0.05:
		return "<0.1"
	case *rate < 9.95:
		return fmt.Sprintf("%.1f", *rate)
	case *rate < 99999.5:
		return fmt.Sprintf("%.0f", *rate)
	case *rate < 999.5e3:
		return fmt.Sprintf("%.0fk", *rate/1e3)
	}
	return fmt.Sprintf("%.1fM", *rate/1e6)
}

// latencyText returns a latency, or "-" if it is not known.
func latencyText(seconds *float64) string {
	switch {
	case seconds == nil:
		return "-"
	case *seconds < 0.0995:
		return fmt.Sprintf("%.2gms", *seconds*1000)
	case *seconds < 0.9995:
		return fmt.Sprintf("%.0fms", *seconds*1000)
	}
	return secondsText(*seconds)
}
