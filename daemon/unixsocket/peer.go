// SPDX-License-Identifier: Apache-2.0

package unixsocket

import (
	"errors"
	"fmt"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Peer is the process that connected to a Unix socket, at the time when it connected.
type Peer struct {
	UID    uint32
	PID    int32    // 0 if the process is in another PID namespace
	Groups []uint32 // the effective group first, then the supplementary groups
}

// PeerOf returns the process at the other end of a connection. The kernel guarantees all of it.
func PeerOf(c *net.UnixConn) (p Peer, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	cerr := raw.Control(func(fd uintptr) {
		var ucred *unix.Ucred
		if ucred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err != nil {
			return
		}
		p = Peer{UID: ucred.Uid, PID: ucred.Pid, Groups: []uint32{ucred.Gid}}
		var groups []uint32
		groups, err = peerGroups(fd)
		p.Groups = append(p.Groups, groups...)
	})
	if err := errors.Join(cerr, err); err != nil {
		return Peer{}, fmt.Errorf("read the credentials of the client: %w", err)
	}
	return p, nil
}

// peerGroups returns the supplementary groups of the peer.
func peerGroups(fd uintptr) ([]uint32, error) {
	groups := make([]uint32, 32)
	for {
		size := uint32(4 * len(groups)) // a socklen_t; the kernel stores the required size
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(unsafe.SliceData(groups))), uintptr(unsafe.Pointer(&size)), 0)
		switch errno {
		case 0:
			return groups[:size/4], nil
		case unix.ERANGE:
			groups = make([]uint32, size/4)
		default:
			return nil, errno
		}
	}
}
