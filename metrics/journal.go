// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// A JournalState is the journal's account at one moment.
type JournalState struct {
	Bytes   int64  // of disk space
	Damaged uint64 // records that could not be read back
	Cursors uint64 // cursors that were damaged and reset

	DamagedBytes uint64 // of segments, that hold no valid record
	TornBytes    uint64 // of writes that were not complete, cut off at the start
	Repairs      uint64 // of files that were recreated
	Missing      uint64 // segments that another program removed
	Foreign      uint64 // files with the name of a segment that do not belong to the journal
	Unreadable   int    // segments, at present

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
		gauge("accepting", "1 while the journal accepts events and makes them durable.", func(s JournalState) float64 {
			if s.Accepting {
				return 1
			}
			return 0
		}),
		// Gauges: the number of an event is not a count of events.
		gauge("last_number", "Number (the field seq) of the newest event in the journal.", func(s JournalState) float64 { return float64(s.Last) }),
		gauge("synced_number", "Number up to which all events are known to survive a power cut. It follows last_number within journal.sync_interval, and does not move with fsync: never.", func(s JournalState) float64 { return float64(s.Synced) }),
		counter("damaged_records_total", "Records that were journaled and could not be read back.", func(s JournalState) float64 { return float64(s.Damaged) }),
		counter("damaged_bytes_total", "Bytes of the journal's segments that hold no valid record.", func(s JournalState) float64 { return float64(s.DamagedBytes) }),
		counter("torn_bytes_total", "Bytes of a write that was not complete when the daemon or the machine stopped; the next start cuts them off.", func(s JournalState) float64 { return float64(s.TornBytes) }),
		counter("repairs_total", "Files of the journal that were damaged, missing or of another journal and were recreated. The log names each.", func(s JournalState) float64 { return float64(s.Repairs) }),
		counter("missing_segments_total", "Segments of the journal that another program removed or replaced.", func(s JournalState) float64 { return float64(s.Missing) }),
		counter("foreign_segments_total", "Files with the name of a segment that do not belong to the journal: copies, or segments of another journal. The daemon does not touch them.", func(s JournalState) float64 { return float64(s.Foreign) }),
		gauge("unreadable_segments", "Segments of the journal that exist and cannot be read at present. A sink that needs such a segment waits for it.", func(s JournalState) float64 { return float64(s.Unreadable) }),
		counter("damaged_cursors_total", "Cursors of sinks that were damaged; the sink begins again with the oldest event.", func(s JournalState) float64 { return float64(s.Cursors) }),
	} {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("register the journal's metrics: %w", err)
		}
	}
	return nil
}
