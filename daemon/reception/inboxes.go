// SPDX-License-Identifier: Apache-2.0

package reception

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/metrics"
)

// Inboxes is the directory of the inboxes.
type Inboxes string

// The names of inboxes. No name that package inbox chooses for a damaged file has the
// suffix.
const (
	genltestInbox = "inbox"
	suffix        = ".inbox"
)

// Genltest returns the inbox of genltest.
func (i Inboxes) Genltest() string { return i.file(genl.Genltest) }

// file returns the inbox of a family.
func (i Inboxes) file(t genl.Target) string {
	if t.IsGenltest() {
		return filepath.Join(string(i), genltestInbox)
	}
	return filepath.Join(string(i), t.Family+suffix)
}

// families returns the families that have an inbox.
func (i Inboxes) families() (names []string, err error) {
	entries, err := os.ReadDir(string(i))
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok {
			names = append(names, name)
		} else if e.Name() == genltestInbox {
			names = append(names, genl.Genltest.Family)
		}
	}
	return names, err
}

// IsInbox reports whether a file name in the directory is that of an inbox.
func IsInbox(name string) bool { return name == genltestInbox || strings.HasSuffix(name, suffix) }

// reportInboxes reports whether the inboxes protect the batches that are being received.
func (s *Set) reportInboxes() {
	var faults []error
	for _, m := range s.all() {
		if err := m.inbox.Unbacked; err != nil {
			faults = append(faults, familyError(m.Family.Family, err))
		}
	}
	err := errors.Join(faults...)
	if err != nil {
		err = fmt.Errorf("the batch that is being received is lost if the process is killed; free space and restart the daemon: %w", err)
	}
	s.State.Set(metrics.FileInbox, err)
}

// warnOfDisk warns if the directory of the inboxes is on a disk.
func (s *Set) warnOfDisk() {
	if slices.ContainsFunc(s.all(), func(m *member) bool { return m.inbox.OnDisk }) {
		s.Log.Warn("the inbox is not on a tmpfs: if the daemon is killed, the event that the kernel is copying may be lost, "+
			"and is counted as lost; put the runtime directory on a tmpfs", "component", "state", "file", metrics.FileInbox)
	}
}
