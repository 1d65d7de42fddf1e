// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// A JournalState is the journal's account at one moment.
type JournalState struct {
	Bytes     int64  // of disk space
	Damaged   uint64 // records that could not be read back
	Cursors   uint64 // cursors that were damaged and set anew
	Last      uint64 // number of the newest event that was journaled
	Synced    uint64 // it and all before it survive a power cut
	Accepting bool   // the last append and the last fsync succeeded
}

// RegisterJournal registers the journal's metrics, which are taken by one call
// of state for each of them.
func RegisterJournal(reg prometheus.Registerer, state func() JournalState) error {
	gauge := func(name, help string, value func(JournalState) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Subsystem: "journal", Name: name, Help: help},
			func() float64 { return value(state()) })
	}
	counter := func(name, help string, value func(JournalState) float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Subsystem: "journal", Name: name, Help: help},
			func() float64 { return value(state()) })
	}
	for _, c := range []prometheus.Collector{
		gauge("bytes", "Disk space of the journal's segments.", func(s JournalState) float64 { return float64(s.Bytes) }),
		gauge("accepting", "1 while the journal takes events and makes them durable.", func(s JournalState) float64 {
			if s.Accepting {
				return 1
			}
			return 0
		}),
		// Not counters: an event's number says nothing of how many there were.
		gauge("last_number", "Number (the field seq) of the newest event in the journal.", func(s JournalState) float64 { return float64(s.Last) }),
		gauge("synced_number", "Number up to which all events are known to survive a power cut.", func(s JournalState) float64 { return float64(s.Synced) }),
		counter("damaged_records_total", "Records that were journaled and could not be read back.", func(s JournalState) float64 { return float64(s.Damaged) }),
		counter("damaged_cursors_total", "Cursors that were damaged and set anew.", func(s JournalState) float64 { return float64(s.Cursors) }),
	} {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("register the journal's metrics: %w", err)
		}
	}
	return nil
}
