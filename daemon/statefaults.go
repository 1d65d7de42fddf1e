// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/metrics"
)

// stateFaults contains the small files of the state directory that currently cannot be read
// or written. The daemon continues without them, and retries each.
type stateFaults struct {
	repeats *ratelog.Logger // for lines that may repeat
	log     *slog.Logger
	metrics *metrics.Metrics

	mu     sync.Mutex
	faults map[string]error // by file
}

func newStateFaults(log *slog.Logger, m *metrics.Metrics) *stateFaults {
	return &stateFaults{log: log, repeats: ratelog.New(log), metrics: m, faults: map[string]error{}}
}

// Set stores and logs the result of an attempt to read or write a file.
func (s *stateFaults) Set(file string, err error) {
	s.mu.Lock()
	before := s.faults[file]
	delete(s.faults, file)
	value := 0.0
	if err != nil {
		s.faults[file] = err
		value = 1
	}
	s.mu.Unlock()
	s.metrics.StateFault.WithLabelValues(file).Set(value)
	switch {
	case err == nil && before != nil:
		s.log.Info("the state file can be used again", "file", file)
	case err != nil:
		s.repeats.Error("a state file cannot be used; trying again", "file", file, "error", err)
	}
}

// Damaged reports a file whose content was damaged.
func (s *stateFaults) Damaged(file string, err error) {
	s.metrics.StateDamaged.WithLabelValues(file).Inc()
	s.repeats.Error("a state file is damaged", "file", file, "error", err)
}

// list returns the faults in the order of the names of the files.
func (s *stateFaults) list() (list []api.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, file := range slices.Sorted(maps.Keys(s.faults)) {
		list = append(list, api.Fault{Reason: file, Text: file + ": " + oneLine(s.faults[file], maxPageFault)})
	}
	return list
}
