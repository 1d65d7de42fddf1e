// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/daemon/pipeline"
)

// Dirs are where the daemon keeps what must survive it.
type Dirs struct {
	State   string // across reboots: the journal and the dead letters
	Runtime string // across restarts, on a tmpfs: the inbox; and the control socket
}

// DefaultDirs are the unit's directories under systemd, the system's for root
// and the user's own for anybody else.
func DefaultDirs() Dirs {
	d := Dirs{State: "/var/lib/genltestd", Runtime: "/run/genltestd"}
	if os.Geteuid() != 0 {
		d = userDirs()
	}
	return Dirs{State: cmp.Or(first("STATE_DIRECTORY"), d.State), Runtime: cmp.Or(first("RUNTIME_DIRECTORY"), d.Runtime)}
}

// userDirs never are in a directory that others may write to, like /tmp.
func userDirs() Dirs {
	home, _ := os.UserHomeDir() // none: the error is that of making the directory
	state := filepath.Join(cmp.Or(os.Getenv("XDG_STATE_HOME"), filepath.Join(home, ".local/state")), "genltestd")
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); runtime != "" {
		return Dirs{State: state, Runtime: filepath.Join(runtime, "genltestd")}
	}
	return Dirs{State: state, Runtime: filepath.Join(state, "run")}
}

// first returns the first of the directories that systemd put into a variable.
func first(variable string) string {
	dir, _, _ := strings.Cut(os.Getenv(variable), ":")
	return dir
}

func (d Dirs) journal() string       { return filepath.Join(d.State, "journal") }
func (d Dirs) inbox() string         { return filepath.Join(d.Runtime, "inbox") }
func (d Dirs) controlSocket() string { return filepath.Join(d.Runtime, api.SocketName) }

// letters has the dead letters of a sink, position where its file's writer notes
// what it is about to append.
func (d Dirs) letters(sink string) string { return filepath.Join(d.State, "deadletters", sink) }

func (d Dirs) position(sink string) string { return filepath.Join(d.State, "sinks", sink+".position") }

// places are what the daemon itself writes. The rest of both directories is free for
// sinks: the unit can write to few others.
func (d Dirs) places() []area {
	all := []area{
		{realPath(d.letters("")), true, "the daemon's dead letters"},
		{realPath(filepath.Dir(d.position(""))), true, "the daemon's notes about sinks"},
		{realPath(d.controlSocket()), false, "the daemon's control socket"},
		{realPath(d.inbox()), false, "the daemon's inbox"},
	}
	for _, name := range []string{origin.FileName, clockName, pipeline.RemovedFile} {
		all = append(all, area{realPath(filepath.Join(d.State, name)), false, "the daemon's state"})
	}
	return all
}

func (d Dirs) create() error {
	if err := os.MkdirAll(d.State, 0o750); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	if err := os.MkdirAll(d.Runtime, 0o750); err != nil {
		return fmt.Errorf("runtime directory: %w", err)
	}
	return nil
}
