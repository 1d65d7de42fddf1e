// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"
)

// Stored returns the descriptors that the service manager keeps for the unit, with
// their names (sd_listen_fds(3)), once in the life of the process. The caller
// closes them; the manager keeps its own.
func Stored() []*os.File { return activation.Files(true) }

// Store has the manager keep a copy of c's descriptor under name, for the next
// process of the unit. The manager does not watch it: an error that is pending on
// a socket is no reason to drop it. Without a service manager it does nothing.
func (n *Notifier) Store(name string, c syscall.Conn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("store descriptor %s: %w", name, err)
	}
	cerr := raw.Control(func(fd uintptr) {
		err = n.message("FDSTORE=1\nFDNAME="+name+"\nFDPOLL=0", unix.UnixRights(int(fd)))
	})
	if err := errors.Join(cerr, err); err != nil {
		return fmt.Errorf("store descriptor %s: %w", name, err)
	}
	return nil
}

// Forget has the manager close what it keeps under name.
func (n *Notifier) Forget(name string) { n.send("FDSTOREREMOVE=1\nFDNAME=" + name) }
