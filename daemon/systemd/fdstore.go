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

// Stored returns the descriptors that the service manager stores for the unit, with their
// names (sd_listen_fds(3)). Only the first call in a process returns them. The caller must
// close them; the manager has its own copies.
func Stored() []*os.File { return activation.Files(true) }

// Store makes the manager store a copy of c's descriptor under name for the next process of
// the unit. The manager does not poll it, because a pending socket error must not remove it.
// Without a service manager Store does nothing.
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

// Forget makes the manager close the descriptors that it stores under name.
func (n *Notifier) Forget(name string) { n.send("FDSTOREREMOVE=1\nFDNAME=" + name) }
