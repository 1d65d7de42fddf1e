// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/inbox"
	"github.com/genltestd/genltestd/metrics"
)

// TestInboxOnADiskCausesAWarning: a kill may lose an event, which a tmpfs prevents.
func TestInboxOnADiskCausesAWarning(t *testing.T) {
	for onDisk, lines := range map[bool]int{true: 1, false: 0} {
		var log bytes.Buffer
		m := metrics.New(prometheus.NewRegistry(), "test")
		d := Daemon{
			inbox: &inbox.Inbox{OnDisk: onDisk},
			state: newStateFaults(slog.New(slog.NewTextHandler(&log, nil)), m),
		}
		d.checkInbox()
		if got := strings.Count(log.String(), "put the runtime directory on a tmpfs"); got != lines {
			t.Errorf("on a disk %v: %d warnings, want %d: %s", onDisk, got, lines, &log)
		}
		if faults := d.state.list(); len(faults) != 0 {
			t.Errorf("on a disk %v: %q make the daemon unhealthy", onDisk, faults)
		}
	}
}
