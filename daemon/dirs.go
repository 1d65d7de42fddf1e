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
	"github.com/genltestd/genltestd/daemon/reception"
)

// Dirs are the directories of the daemon's own files.
type Dirs struct {
	State   string // survives reboots: the journal and the dead letters
	Runtime string // on a tmpfs, survives restarts: the inbox and the control socket
}

// DefaultDirs returns the directories of the unit under systemd, those of the system for
// root, and those of the user for other users.
func DefaultDirs() Dirs {
	d := Dirs{State: "/var/lib/genltestd", Runtime: "/run/genltestd"}
	if os.Geteuid() != 0 {
		d = userDirs()
	}
	return Dirs{State: cmp.Or(first("STATE_DIRECTORY"), d.State), Runtime: cmp.Or(first("RUNTIME_DIRECTORY"), d.Runtime)}
}

// userDirs returns directories that are not in a directory that other users can write to,
// such as /tmp.
func userDirs() Dirs {
	home, _ := os.UserHomeDir() // without one, creating the directory fails
	state := filepath.Join(cmp.Or(os.Getenv("XDG_STATE_HOME"), filepath.Join(home, ".local/state")), "genltestd")
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); runtime != "" {
		return Dirs{State: state, Runtime: filepath.Join(runtime, "genltestd")}
	}
	return Dirs{State: state, Runtime: filepath.Join(state, "run")}
}

// first returns the first directory in a variable that systemd sets.
func first(variable string) string {
	dir, _, _ := strings.Cut(os.Getenv(variable), ":")
	return dir
}

func (d Dirs) journal() string       { return filepath.Join(d.State, "journal") }
func (d Dirs) controlSocket() string { return filepath.Join(d.Runtime, api.SocketName) }

// inboxes returns the directory of the inboxes of all families.
func (d Dirs) inboxes() reception.Inboxes { return reception.Inboxes(d.Runtime) }

// letters returns the directory of the dead letters of a sink.
func (d Dirs) letters(sink string) string { return filepath.Join(d.State, "deadletters", sink) }

// position returns the file in which a sink of kind file notes what it appends.
func (d Dirs) position(sink string) string { return filepath.Join(d.State, "sinks", sink+".position") }

// areas returns the files and directories that the daemon itself writes. Sinks may use the
// rest of both directories, because the unit can write to few others.
func (d Dirs) areas() []area {
	all := []area{
		{realPath(d.letters("")), true, "the daemon's dead letters", nil},
		{realPath(filepath.Dir(d.position(""))), true, "the daemon's notes about sinks", nil},
		{realPath(d.controlSocket()), false, "the daemon's control socket", nil},
		{realPath(d.inboxes().Genltest()), false, "the daemon's inbox", reception.IsInbox},
	}
	for _, name := range []string{origin.FileName, clockName, pipeline.RemovedFile, pipeline.PausedFile} {
		all = append(all, area{realPath(filepath.Join(d.State, name)), false, "the daemon's state", nil})
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
