// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A descriptor reads the kernel's state of a netlink socket.
type descriptor struct{ raw syscall.RawConn }

// newDescriptor returns the descriptor of c.
func newDescriptor(c syscall.Conn) (descriptor, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return descriptor{}, fmt.Errorf("access the socket's descriptor: %w", err)
	}
	return descriptor{raw}, nil
}

// copy returns another descriptor of the same socket.
func (d descriptor) copy() (fd int, err error) {
	err = d.control("copy the descriptor", func(old int) (err error) {
		fd, err = unix.FcntlInt(uintptr(old), unix.F_DUPFD_CLOEXEC, 0)
		return err
	})
	return fd, err
}

// control calls f with the descriptor.
func (d descriptor) control(what string, f func(fd int) error) (err error) {
	cerr := d.raw.Control(func(fd uintptr) { err = f(int(fd)) })
	if err := errors.Join(cerr, err); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// groups returns the groups that the socket is a member of. The kernel ends a
// membership without notice when the family is unregistered.
func (d descriptor) groups() (groups []uint32, err error) {
	var bits [128]uint32 // far more groups than a system has
	size := uint32(unsafe.Sizeof(bits))
	err = d.control("list the socket's groups", func(fd int) error {
		return getsockopt(fd, unix.SOL_NETLINK, unix.NETLINK_LIST_MEMBERSHIPS, unsafe.Pointer(&bits), &size)
	})
	if err != nil {
		return nil, err
	}
	for i := range uint32(len(bits)) * 32 {
		if bits[i/32]>>(i%32)&1 != 0 {
			groups = append(groups, i+1)
		}
	}
	return groups, nil
}

// isMember returns an error that contains the descriptor's name if it is not a member
// of group.
func (d descriptor) isMember(name string, group uint32) error {
	groups, err := d.groups()
	if err == nil && !slices.Contains(groups, group) {
		err = fmt.Errorf("descriptor %s is another socket: it is not a member of group %d", name, group)
	}
	return err
}

// Indices of the result of SO_MEMINFO (linux/sock_diag.h).
const (
	skMeminfoRmemAlloc = 0
	skMeminfoRcvbuf    = 1
	skMeminfoDrops     = 8
)

func (d descriptor) meminfo() (info [skMeminfoDrops + 1]uint32, err error) {
	size := uint32(unsafe.Sizeof(info))
	err = d.control("read the socket's SO_MEMINFO", func(fd int) error {
		return getsockopt(fd, unix.SOL_SOCKET, unix.SO_MEMINFO, unsafe.Pointer(&info), &size)
	})
	return info, err
}

// getsockopt is getsockopt(2) for option types that golang.org/x/sys lacks.
func getsockopt(fd, level, option int, value unsafe.Pointer, size *uint32) error {
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option),
		uintptr(value), uintptr(unsafe.Pointer(size)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
