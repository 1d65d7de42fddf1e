// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Send sends an entry of any size. It waits while the queue of journald's socket is full.
func Send(conn *net.UnixConn, entry []byte) error {
	_, err := conn.Write(entry)
	if errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.ENOBUFS) {
		return sendFile(conn, entry)
	}
	return err
}

// sendFile sends an entry that is too large for a datagram as a file in memory. journald
// accepts the file only if it cannot change any more.
func sendFile(conn *net.UnixConn, entry []byte) error {
	fd, err := unix.MemfdCreate("genltestd-entry", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return fmt.Errorf("memfd for a large entry: %w", err)
	}
	f := os.NewFile(uintptr(fd), "entry")
	defer f.Close()
	if _, err := f.Write(entry); err != nil {
		return fmt.Errorf("memfd for a large entry: %w", err)
	}
	const all = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, all); err != nil {
		return fmt.Errorf("seal a large entry: %w", err)
	}
	return sendRights(conn, unix.UnixRights(fd))
}

// sendRights sends a datagram that contains only a descriptor. WriteMsgUnix is for sockets
// that are not connected.
func sendRights(conn *net.UnixConn, rights []byte) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	werr := raw.Write(func(fd uintptr) (done bool) {
		err = unix.Sendmsg(int(fd), nil, rights, nil, unix.MSG_NOSIGNAL)
		return !errors.Is(err, unix.EAGAIN)
	})
	return errors.Join(werr, err)
}
