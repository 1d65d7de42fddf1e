// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/metrics"
)

// stateFaults are the small files of the state directory that cannot be read or written
// at present. None of them stops the daemon: each is tried again.
type stateFaults struct {
	repeats *ratelog.Logger // of lines that may repeat
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
		s.log.Info("the state file works again", "file", file)
	case err != nil:
		s.repeats.Error("a state file does not work; will try again", "file", file, "error", err)
	}
}

// checkInbox tells of an inbox that cannot keep what it should.
func (d *Daemon) checkInbox() {
	err := d.inbox.Unbacked
	if err != nil {
		err = fmt.Errorf("the batch that is being received is lost when the process is killed: make room and start the daemon again: %w", err)
	}
	d.state.Set(metrics.FileInbox, err)
	if d.inbox.OnDisk {
		d.state.log.Warn("the inbox is not on a tmpfs: killing the daemon may lose the event that the kernel is copying, "+
			"which is counted as lost; put the runtime directory on a tmpfs", "file", metrics.FileInbox)
	}
	if err := d.inbox.Discarded; err != nil {
		d.state.Damaged(metrics.FileInbox, err)
	}
}

// Damaged reports a file whose content was damaged.
func (s *stateFaults) Damaged(file string, err error) {
	s.metrics.StateDamaged.WithLabelValues(file).Inc()
	s.repeats.Error("a state file is damaged", "file", file, "error", err)
}

// list returns one line for each fault, in the order of the files' names.
func (s *stateFaults) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, file := range slices.Sorted(maps.Keys(s.faults)) {
		lines = append(lines, fmt.Sprintf("state: %s: %v", file, s.faults[file]))
	}
	return lines
}
