// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// deviceGroup is the group of the network devices that a load adds, so that one request
// removes them all.
const deviceGroup = 7

// A load causes events at the highest rate that requests of one socket can. Its methods settings,
// devices and connection may be called concurrently with each other, but not with themselves.
type load struct {
	ethtoolID      uint16
	ethtool, route requester
	tap            *os.File
	server         int    // listens for connections of Multipath TCP
	serial         uint32 // number of the last settings
	pairs          int    // of devices that were added
}

// newLoad creates the devices that a load changes.
func newLoad(t *testing.T) *load {
	t.Helper()
	l := &load{
		ethtoolID: familyOf(t, "ethtool").ID,
		ethtool:   newRequester(t, unix.NETLINK_GENERIC), route: newRequester(t, unix.NETLINK_ROUTE),
	}
	l.route.mustExecute(t, addVeth("veth-a", "veth-b", 0))
	for _, name := range []string{"veth-a", "veth-b"} {
		l.route.mustExecute(t, linkRequest(unix.RTM_NEWLINK, 0, true, func(e *netlink.AttributeEncoder) {
			e.String(unix.IFLA_IFNAME, name)
		}))
	}
	l.openTap(t, "tap-a")
	l.serve(t)
	return l
}

// addVeth returns the request for a pair of devices with four queues each, in a group.
func addVeth(name, peer string, group uint32) netlink.Message {
	device := func(e *netlink.AttributeEncoder, name string) {
		e.String(unix.IFLA_IFNAME, name)
		e.Uint32(unix.IFLA_GROUP, group)
		e.Uint32(unix.IFLA_NUM_TX_QUEUES, 4)
		e.Uint32(unix.IFLA_NUM_RX_QUEUES, 4)
	}
	return linkRequest(unix.RTM_NEWLINK, netlink.Create|netlink.Excl, false, func(e *netlink.AttributeEncoder) {
		device(e, name)
		nest(e, unix.IFLA_LINKINFO, func(e *netlink.AttributeEncoder) {
			e.String(unix.IFLA_INFO_KIND, "veth")
			nest(e, unix.IFLA_INFO_DATA, func(e *netlink.AttributeEncoder) {
				const peerInfo = 1
				e.Bytes(peerInfo|netlink.Nested, append(linkHeader(false), encode(func(e *netlink.AttributeEncoder) { device(e, peer) })...))
			})
		})
	})
}

// openTap creates a device whose link modes can be set, which exists until the test ends.
func (l *load) openTap(t *testing.T, name string) {
	t.Helper()
	var err error
	if l.tap, err = os.OpenFile("/dev/net/tun", os.O_RDWR, 0); err != nil {
		t.Skipf("no device of type tap: %v", err)
	}
	t.Cleanup(func() { l.tap.Close() })
	request, err := unix.NewIfreq(name)
	if err != nil {
		t.Fatal(err)
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(int(l.tap.Fd()), unix.TUNSETIFF, request); err != nil {
		t.Fatal(err)
	}
}

// settings causes events of ethtool and netdev: link modes, each with another number, channels
// and features.
func (l *load) settings(events int) error {
	var requests []netlink.Message
	for range events / 4 {
		l.serial++
		requests = append(requests,
			ethtoolRequest(l.ethtoolID, unix.ETHTOOL_MSG_LINKMODES_SET, "tap-a", func(e *netlink.AttributeEncoder) {
				e.Uint32(unix.ETHTOOL_A_LINKMODES_SPEED, l.serial)
			}),
			ethtoolRequest(l.ethtoolID, unix.ETHTOOL_MSG_CHANNELS_SET, "veth-a", func(e *netlink.AttributeEncoder) {
				e.Uint32(unix.ETHTOOL_A_CHANNELS_TX_COUNT, 1+l.serial%4)
			}),
			ethtoolRequest(l.ethtoolID, unix.ETHTOOL_MSG_FEATURES_SET, "veth-a", func(e *netlink.AttributeEncoder) {
				feature(e, "rx-gro", l.serial%2 == 1)
			}),
		)
	}
	return errors.Join(l.ethtool.send(requests), l.ethtool.failure())
}

// feature adds the request for one feature.
func feature(e *netlink.AttributeEncoder, name string, on bool) {
	nest(e, unix.ETHTOOL_A_FEATURES_WANTED, func(e *netlink.AttributeEncoder) {
		nest(e, unix.ETHTOOL_A_BITSET_BITS, func(e *netlink.AttributeEncoder) {
			nest(e, unix.ETHTOOL_A_BITSET_BITS_BIT, func(e *netlink.AttributeEncoder) {
				e.String(unix.ETHTOOL_A_BITSET_BIT_NAME, name)
				e.Flag(unix.ETHTOOL_A_BITSET_BIT_VALUE, on)
			})
		})
	})
}

// devices adds network devices and removes them, of which netdev has two events each.
func (l *load) devices(events int) error {
	var requests []netlink.Message
	for range events / 4 {
		l.pairs++
		requests = append(requests, addVeth(fmt.Sprintf("a%d", l.pairs), fmt.Sprintf("b%d", l.pairs), deviceGroup))
	}
	requests = append(requests, linkRequest(unix.RTM_DELLINK, 0, false, func(e *netlink.AttributeEncoder) {
		e.Uint32(unix.IFLA_GROUP, deviceGroup)
	}))
	return errors.Join(l.route.send(requests), l.route.failure())
}

// serve opens the socket that connections connects to.
func (l *load) serve(t *testing.T) {
	t.Helper()
	var err error
	if l.server, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP); err != nil {
		t.Skipf("no socket of Multipath TCP: %v", err)
	}
	t.Cleanup(func() { unix.Close(l.server) })
	err = errors.Join(unix.Bind(l.server, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(l.server, 16))
	if err != nil {
		t.Fatal(err)
	}
}

// connection opens and closes a connection of Multipath TCP, of which mptcp_pm has events with
// a token.
func (l *load) connection() error {
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err != nil {
		return err
	}
	defer unix.Close(client)
	address, err := unix.Getsockname(l.server)
	if err != nil {
		return err
	}
	if err := unix.Connect(client, address); err != nil {
		return err
	}
	peer, _, err := unix.Accept(l.server)
	if err != nil {
		return err
	}
	defer unix.Close(peer)
	return exchange(client, peer)
}

// exchange sends data in both directions, which establishes a connection.
func exchange(client, peer int) (err error) {
	buf := []byte("x")
	for range 3 {
		for _, way := range [][2]int{{client, peer}, {peer, client}} {
			_, writeErr := unix.Write(way[0], buf)
			_, readErr := unix.Read(way[1], buf)
			err = errors.Join(err, writeErr, readErr)
		}
	}
	return err
}

// run causes events of all families until stop is called.
func (l *load) run(t *testing.T) (stop func()) {
	t.Helper()
	var done atomic.Bool
	var sources sync.WaitGroup
	for _, source := range []struct {
		cause func() error
		pause time.Duration
	}{
		{func() error { return l.settings(40) }, 5 * time.Millisecond},
		{func() error { return l.devices(40) }, 5 * time.Millisecond},
		{l.connection, time.Millisecond},
	} {
		sources.Go(func() {
			for !done.Load() {
				if err := source.cause(); err != nil {
					t.Error(err)
					return
				}
				time.Sleep(source.pause)
			}
		})
	}
	stop = sync.OnceFunc(func() {
		done.Store(true)
		sources.Wait()
	})
	t.Cleanup(stop)
	return stop
}
