// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Dirs are where the daemon keeps what must survive it.
type Dirs struct {
	State   string // across reboots: the journal
	Runtime string // across restarts, on a tmpfs: the inbox
}

// DefaultDirs are the unit's directories under systemd, the system's for root
// and the user's own for anybody else.
func DefaultDirs() Dirs {
	d := Dirs{State: "/var/lib/genltestd", Runtime: "/run/genltestd"}
	if os.Geteuid() != 0 {
		home, _ := os.UserHomeDir()
		d.State = filepath.Join(cmp.Or(os.Getenv("XDG_STATE_HOME"), filepath.Join(home, ".local/state")), "genltestd")
		d.Runtime = filepath.Join(cmp.Or(os.Getenv("XDG_RUNTIME_DIR"), os.TempDir()), fmt.Sprintf("genltestd-%d", os.Geteuid()))
	}
	return Dirs{State: cmp.Or(first("STATE_DIRECTORY"), d.State), Runtime: cmp.Or(first("RUNTIME_DIRECTORY"), d.Runtime)}
}

// first returns the first of the directories that systemd put into a variable.
func first(variable string) string {
	dir, _, _ := strings.Cut(os.Getenv(variable), ":")
	return dir
}

func (d Dirs) create() error {
	for _, dir := range []string{d.State, d.Runtime} {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return err
		}
	}
	return nil
}
