// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"io"
	"log/slog"
	"os"

	"github.com/genltestd/genltestd/daemon/clock"
	"github.com/genltestd/genltestd/daemon/echo"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/daemon/reaper"
	"github.com/genltestd/genltestd/daemon/reception"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/reload"
	"github.com/genltestd/genltestd/daemon/statefile"
)

// Options are the dependencies of a Daemon. Only Log is required.
type Options struct {
	Version string
	Stdout  io.Writer // of the sinks of kind stdout
	Log     *slog.Logger
	Level   *slog.LevelVar         // of Log; nil if it does not change
	Dirs    Dirs                   // required, except by tests
	Kernel  reception.Kernel       // nil for the running kernel
	Echo    echo.Prober            // nil for the kernel module
	Machine *origin.Machine        // nil for this machine
	Files   statefile.Files        // nil for the disk
	Clocks  func() clock.Reading   // nil for the clocks of this machine
	Host    func() (string, error) // the name of the machine; nil for os.Hostname

	// A reload reads Source, and is not possible if Source is nil. Fingerprint is that of
	// Source before the first configuration was read.
	Source      Source
	Fingerprint string

	mask   *redact.Mask   // of the secrets of all sinks
	reaper *reaper.Reaper // of the programs of sinks; nil unless the process is process 1
	clock  *clock.Clock   // opened by New

	journalFS vfs.FS // nil for the disk; a test replaces it
}

// A Source provides the configuration that a reload reads.
type Source = reload.Source

// setDefaults replaces nil by the parts of this machine.
func (o *Options) setDefaults() {
	if o.Machine == nil {
		o.Machine = thisMachine(o.Log)
	}
	if o.Level == nil {
		o.Level = new(slog.LevelVar)
	}
	if o.Host == nil {
		o.Host = os.Hostname
	}
	if o.Echo == nil {
		o.Echo = genl.NewEchoClient()
	}
	if o.Files == nil {
		o.Files = statefile.Disk{}
	}
	o.reaper = reaper.New()
	o.mask = new(redact.Mask)
}
