// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// A JournalState contains the counters of the journal at one time.
type JournalState struct {
	Bytes   int64  // of disk space
	Limit   int64  // of Bytes
	Damaged uint64 // records that could not be read back
	Cursors uint64 // cursors that were damaged and reset

	DamagedBytes uint64 // of segments, without a valid record
	TornBytes    uint64 // of incomplete writes, removed at the start
	Repairs      uint64 // of files that were recreated
	Missing      uint64 // segments that another program removed
	Foreign      uint64 // files with the name of a segment that do not belong to the journal
	Unreadable   int    // segments that currently cannot be read

	Last      uint64 // number of the newest event that was journaled
	Synced    uint64 // number up to which all events survive a power cut
	Accepting bool   // the last append and the last fsync succeeded
}

// RegisterJournal registers the metrics of the journal. Each metric calls state.
func RegisterJournal(reg prometheus.Registerer, state func() JournalState) error {
	gauge := func(name string, value func(JournalState) float64, help string) prometheus.Collector {
		opts := prometheus.GaugeOpts{Namespace: namespace, Subsystem: "journal", Name: name, Help: help}
		return prometheus.NewGaugeFunc(opts, func() float64 { return value(state()) })
	}
	counter := func(name string, value func(JournalState) float64, help string) prometheus.Collector {
		opts := prometheus.CounterOpts{Namespace: namespace, Subsystem: "journal", Name: name, Help: help}
		return prometheus.NewCounterFunc(opts, func() float64 { return value(state()) })
	}
	for _, c := range []prometheus.Collector{
		gauge("bytes", func(s JournalState) float64 { return float64(s.Bytes) },
			"Disk space of the journal's segments."),
		gauge("max_bytes", func(s JournalState) float64 { return float64(s.Limit) },
			"Disk space that the journal may use: journal.max_bytes."),
		gauge("accepting", func(s JournalState) float64 { return truth(s.Accepting) },
			"1 while the journal accepts events and makes them durable."),
		// Gauges: the number of an event is not a count of events.
		gauge("last_number", func(s JournalState) float64 { return float64(s.Last) },
			"Number (the field seq) of the newest event in the journal."),
		gauge("synced_number", func(s JournalState) float64 { return float64(s.Synced) },
			"Number up to which all events are known to survive a power cut. It follows last_number within "+
				"journal.sync_interval, and does not move with fsync: never."),
		counter("damaged_records_total", func(s JournalState) float64 { return float64(s.Damaged) },
			"Records that were journaled and could not be read back."),
		counter("damaged_bytes_total", func(s JournalState) float64 { return float64(s.DamagedBytes) },
			"Bytes of the journal's segments that do not contain a valid record."),
		counter("torn_bytes_total", func(s JournalState) float64 { return float64(s.TornBytes) },
			"Bytes of a write that was not complete when the daemon or the machine stopped; the next start cuts them off."),
		counter("repairs_total", func(s JournalState) float64 { return float64(s.Repairs) },
			"Files of the journal that were damaged, missing or of another journal and were recreated. The log names each."),
		counter("missing_segments_total", func(s JournalState) float64 { return float64(s.Missing) },
			"Segments of the journal that another program removed or replaced."),
		counter("foreign_segments_total", func(s JournalState) float64 { return float64(s.Foreign) },
			"Files with the name of a segment that do not belong to the journal: copies, or segments of another "+
				"journal. The daemon does not change them."),
		gauge("unreadable_segments", func(s JournalState) float64 { return float64(s.Unreadable) },
			"Segments of the journal that exist and currently cannot be read. A sink that needs such a segment waits for it."),
		counter("damaged_cursors_total", func(s JournalState) float64 { return float64(s.Cursors) },
			"Cursors of sinks that were damaged; the sink continues with the oldest event."),
	} {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("register the metrics of the journal: %w", err)
		}
	}
	return nil
}
