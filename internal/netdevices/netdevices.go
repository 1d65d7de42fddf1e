// SPDX-License-Identifier: Apache-2.0

// Package netdevices causes events of the host's own kernel in tests: it creates network
// namespaces, and devices in them.
package netdevices

import (
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/internal/kernelmsg"
)

// EnterNamespace moves the test to a network namespace of its own. The thread ends with the
// test's goroutine. Sockets that other goroutines open are in the namespace of the process.
func EnterNamespace(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); errors.Is(err, unix.EPERM) {
		t.Skip("creating a network namespace requires CAP_SYS_ADMIN")
	} else if err != nil {
		t.Fatal(err)
	}
}

// Devices creates and changes network devices in the namespace in which it was opened. It is
// not safe for concurrent use.
type Devices struct {
	t       testing.TB
	route   int
	generic int
}

// Open returns the devices of the namespace of the calling thread.
func Open(t testing.TB) *Devices {
	t.Helper()
	d := &Devices{t: t}
	for protocol, fd := range map[int]*int{unix.NETLINK_ROUTE: &d.route, unix.NETLINK_GENERIC: &d.generic} {
		var err error
		if *fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(*fd) })
	}
	return d
}

// AddPair creates a pair of virtual Ethernet devices, which causes events of the family
// netdev. It skips the test if the kernel does not have such devices.
func (d *Devices) AddPair(name string) {
	d.t.Helper()
	info := kernelmsg.Attr(unix.IFLA_LINKINFO|unix.NLA_F_NESTED, kernelmsg.Attr(unix.IFLA_INFO_KIND, append([]byte("veth"), 0)))
	err := d.request(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, nameOf(name), info)
	if errors.Is(err, unix.EOPNOTSUPP) {
		d.t.Skip("the kernel does not have virtual Ethernet devices")
	}
	if err != nil {
		d.t.Fatalf("add the device %s: %v", name, err)
	}
}

// Remove removes a device of a pair, and with it the other one. It causes events of the
// family netdev.
func (d *Devices) Remove(name string) {
	d.t.Helper()
	if err := d.request(unix.RTM_DELLINK, 0, nameOf(name)); err != nil {
		d.t.Fatalf("remove the device %s: %v", name, err)
	}
}

func nameOf(name string) []byte { return kernelmsg.Attr(unix.IFLA_IFNAME, append([]byte(name), 0)) }

// request sends a request about a device to rtnetlink.
func (d *Devices) request(kind, flags uint16, attrs ...[]byte) error {
	b := make([]byte, unix.NLMSG_HDRLEN+unix.SizeofIfInfomsg)
	for _, a := range attrs {
		b = append(b, a...)
	}
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	return exchange(d.route, b, flags)
}

// exchange sends a request and returns the error in its acknowledgement.
func exchange(socket int, request []byte, flags uint16) error {
	binary.NativeEndian.PutUint16(request[6:], flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	if err := unix.Sendto(socket, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	for reply := make([]byte, 8192); ; {
		n, _, err := unix.Recvfrom(socket, reply, 0)
		if err != nil {
			return err
		}
		if n < unix.NLMSG_HDRLEN+4 {
			return errShort
		}
		if binary.NativeEndian.Uint16(reply[4:]) != unix.NLMSG_ERROR {
			continue // the result of the request
		}
		if code := int32(binary.NativeEndian.Uint32(reply[unix.NLMSG_HDRLEN:])); code != 0 {
			return unix.Errno(-code)
		}
		return nil
	}
}

var errShort = errors.New("the reply is too short")

// SetScatterGather changes a feature of a device, by a request to the family ethtool with
// that id. If the feature changes, that causes one event of the family.
func (d *Devices) SetScatterGather(ethtool uint16, name string, on bool) {
	d.t.Helper()
	bit := kernelmsg.Attr(unix.ETHTOOL_A_BITSET_BIT_NAME, append([]byte("tx-scatter-gather"), 0))
	if on {
		bit = kernelmsg.AppendAttr(bit, unix.ETHTOOL_A_BITSET_BIT_VALUE, nil)
	}
	device := kernelmsg.Attr(unix.ETHTOOL_A_HEADER_DEV_NAME, append([]byte(name), 0))
	bits := nest(unix.ETHTOOL_A_BITSET_BITS, nest(unix.ETHTOOL_A_BITSET_BITS_BIT, bit))
	b := kernelmsg.Message(ethtool, unix.ETHTOOL_MSG_FEATURES_SET, 1,
		nest(unix.ETHTOOL_A_FEATURES_HEADER, device), nest(unix.ETHTOOL_A_FEATURES_WANTED, bits))
	if err := exchange(d.generic, b, 0); err != nil {
		d.t.Fatalf("change a feature of the device %s: %v", name, err)
	}
}

func nest(kind uint16, attrs []byte) []byte { return kernelmsg.Attr(kind|unix.NLA_F_NESTED, attrs) }
