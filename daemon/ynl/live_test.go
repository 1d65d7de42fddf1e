// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/internal/netdevices"
)

// A listener receives the multicast messages of a family in the test's namespace.
type listener struct {
	spec   *Spec
	family genetlink.Family
	conn   *genetlink.Conn
	seen   map[string][]Message // by command
	raw    [][]byte
}

// listen joins the groups of a family. It skips the test if the kernel does not have the
// family.
func listen(t *testing.T, name string, groups ...string) *listener {
	t.Helper()
	spec, err := Embedded(name)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := genetlink.Dial(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	family, err := conn.GetFamily(name)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("the kernel does not have the family %s", name)
	} else if err != nil {
		t.Fatal(err)
	}
	for _, g := range family.Groups {
		if slices.Contains(groups, g.Name) {
			if err := conn.JoinGroup(g.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	return &listener{spec: spec, family: family, conn: conn, seen: make(map[string][]Message)}
}

// until receives messages until condition is true.
func (l *listener) until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	if err := l.conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for !condition() {
		messages, _, err := l.conn.Receive()
		if err != nil {
			t.Fatalf("no message %s: %v; received %v", what, err, l.seen)
		}
		for _, m := range messages {
			l.decode(t, append([]byte{m.Header.Command, m.Header.Version, 0, 0}, m.Data...))
		}
	}
}

func (l *listener) decode(t *testing.T, raw []byte) {
	t.Helper()
	var d Decoder
	m, err := d.Decode(l.spec, raw)
	if err != nil {
		t.Errorf("%s: %v", m.Command, err)
	}
	l.seen[m.Command] = append(l.seen[m.Command], m)
	l.raw = append(l.raw, raw)
}

// has returns a condition: a message of a command has a value at a path.
func (l *listener) has(command, path, want string) func() bool {
	return func() bool {
		return slices.ContainsFunc(l.seen[command], func(m Message) bool {
			v, ok := m.Attributes.Lookup(path)
			return ok && string(v.AppendText(nil)) == want
		})
	}
}

// request sends a request of the family, and waits for its acknowledgement.
func (l *listener) request(t *testing.T, command uint8, attributes ...[]byte) {
	t.Helper()
	conn, err := genetlink.Dial(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m := genetlink.Message{Header: genetlink.Header{Command: command, Version: 1}, Data: concat(attributes...)}
	if _, err := conn.Execute(m, l.family.ID, netlink.Request|netlink.Acknowledge); err != nil {
		t.Fatalf("command %d: %v", command, err)
	}
}

const isNested = 0x8000

// addVeth creates a pair of network devices, each with four queues.
func addVeth(t *testing.T, name, peer string) {
	t.Helper()
	link := func(name string) []byte {
		return concat(make([]byte, unix.SizeofIfInfomsg), nla(unix.IFLA_IFNAME, str(name)),
			nla(unix.IFLA_NUM_TX_QUEUES, u32(4)), nla(unix.IFLA_NUM_RX_QUEUES, u32(4)))
	}
	const vethInfoPeer = 1
	info := concat(nla(unix.IFLA_INFO_KIND, str("veth")), nla(unix.IFLA_INFO_DATA|isNested, nla(vethInfoPeer, link(peer))))
	route(t, unix.RTM_NEWLINK, netlink.Create|netlink.Excl, concat(link(name), nla(unix.IFLA_LINKINFO|isNested, info)))
}

// setUp starts a network device.
func setUp(t *testing.T, name string) {
	t.Helper()
	b := make([]byte, unix.SizeofIfInfomsg)
	copy(b[8:], u32(unix.IFF_UP))
	copy(b[12:], u32(unix.IFF_UP))
	route(t, unix.RTM_NEWLINK, 0, append(b, nla(unix.IFLA_IFNAME, str(name))...))
}

func remove(t *testing.T, name string) {
	t.Helper()
	route(t, unix.RTM_DELLINK, 0, append(make([]byte, unix.SizeofIfInfomsg), nla(unix.IFLA_IFNAME, str(name))...))
}

func route(t *testing.T, kind netlink.HeaderType, flags netlink.HeaderFlags, data []byte) {
	t.Helper()
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m := netlink.Message{Header: netlink.Header{Type: kind, Flags: netlink.Request | netlink.Acknowledge | flags}, Data: data}
	if _, err := conn.Execute(m); err != nil {
		t.Fatal(err)
	}
}

// deviceHeader is the header of a request of ethtool.
func deviceHeader(name string) []byte { return nla(1|isNested, nla(2, str(name))) }

func TestLiveNetdev(t *testing.T) {
	netdevices.EnterNamespace(t)
	l := listen(t, "netdev", "mgmt")
	ethtool := listen(t, "ethtool")
	addVeth(t, "veth-a", "veth-b")
	setUp(t, "veth-a")
	setUp(t, "veth-b")
	setFeature(t, ethtool, "veth-a", "rx-gro", true)
	index := interfaceIndex(t, "veth-a")
	l.until(t, "that a device is new", l.has("dev-add-ntf", "ifindex", index))
	l.until(t, "that features changed", l.has("dev-change-ntf", "ifindex", index))
	remove(t, "veth-a")
	l.until(t, "that the device is gone", l.has("dev-del-ntf", "ifindex", index))
	for _, m := range l.seen["dev-change-ntf"] {
		if v, ok := m.Attributes.Lookup("xdp-features"); !ok || v.Kind() != event.ListValue {
			t.Errorf("the features are not a list: %s", m.Attributes.AppendJSON(nil))
		}
	}
	l.capture(t)
}

// setFeature switches a feature of a device.
func setFeature(t *testing.T, l *listener, device, feature string, on bool) {
	t.Helper()
	const featuresSet, wanted, bits = 12, 3, 3
	bit := nla(2, str(feature))
	if on {
		bit = concat(bit, nla(3))
	}
	l.request(t, featuresSet, deviceHeader(device), nla(wanted|isNested, nla(bits|isNested, nla(1|isNested, bit))))
}

func TestLiveEthtool(t *testing.T) {
	netdevices.EnterNamespace(t)
	l := listen(t, "ethtool", "monitor")
	addVeth(t, "veth-a", "veth-b")
	addTun(t, "tun-a")
	setFeature(t, l, "veth-a", "tx-scatter-gather", false)
	l.until(t, "that features changed", l.has("features-ntf", "header.dev-name", "veth-a"))
	setFeature(t, l, "veth-a", "tx-scatter-gather", true)
	const channelsSet, coalesceSet, linkmodesSet, debugSet = 18, 20, 5, 8
	l.request(t, channelsSet, deviceHeader("veth-a"), nla(6, u32(2)), nla(7, u32(3)))
	l.until(t, "that channels changed", l.has("channels-ntf", "rx-count", "2"))
	l.request(t, coalesceSet, deviceHeader("tun-a"), nla(3, u32(8)))
	l.until(t, "that coalescing changed", l.has("coalesce-ntf", "rx-max-frames", "8"))
	l.request(t, linkmodesSet, deviceHeader("tun-a"), nla(5, u32(2500)), nla(6, u8(1)))
	l.until(t, "that link modes changed", l.has("linkmodes-ntf", "speed", "2500"))
	l.request(t, debugSet, deviceHeader("tun-a"), nla(2|isNested, nla(3|isNested, nla(1|isNested, nla(2, str("link")), nla(3)))))
	l.until(t, "that the message mask changed", l.has("debug-ntf", "header.dev-name", "tun-a"))
	l.capture(t)
}

func TestLiveFamilies(t *testing.T) {
	l := listen(t, "nlctrl")
	if err := l.dump(t, getFamily); err != nil {
		t.Fatal(err)
	}
	if !l.has("newfamily", "family-name", "nlctrl")() || !l.has("newfamily", "mcast-groups.0.name", "notify")() {
		t.Errorf("the family nlctrl is missing in %d messages", len(l.raw))
	}
	l.capture(t)
}

func TestLiveMPTCP(t *testing.T) {
	netdevices.EnterNamespace(t)
	setUp(t, "lo")
	l := listen(t, "mptcp_pm", "mptcp_pm_events")
	port := connectMPTCP(t)
	l.until(t, "of a connection", l.has("created", "daddr4", "127.0.0.1"))
	l.until(t, "that it is established", l.has("established", "dport", port))
	l.until(t, "that it is closed", func() bool { return len(l.seen["closed"]) > 1 })
	for _, m := range l.seen["closed"] {
		if v, ok := m.Attributes.Lookup("token"); !ok || v.Uint() == 0 {
			t.Errorf("the token is missing in %s", m.Attributes.AppendJSON(nil))
		}
	}
	l.capture(t)
}

// Every attribute of the running kernel that our specifications do not know is logged: a
// newer kernel can have more.
func (l *listener) logUnknown(t *testing.T) {
	for command, messages := range l.seen {
		for _, m := range messages {
			for name := range m.Attributes.Fields() {
				if strings.Trim(name, "0123456789") == "" {
					t.Logf("%s has the unknown attribute %s", command, name)
				}
			}
		}
	}
}
