// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"testing"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"

	"github.com/genltestd/genltestd/internal/netdevices"
)

// The family nlctrl.
const (
	nlctrlID  = 16
	getFamily = 3
	getPolicy = 10
)

// captureLive returns at least 10,000 messages of the running kernel, by family: those that
// it multicasts while devices and connections are changed, and the answers to requests.
func captureLive(t *testing.T) map[string][][]byte {
	t.Helper()
	netdevices.EnterNamespace(t)
	setUp(t, "lo")
	mptcp := listen(t, "mptcp_pm", "mptcp_pm_events")
	for range 100 {
		connectMPTCP(t)
		mptcp.queued(t)
	}
	netdev := listen(t, "netdev", "mgmt")
	for range 250 {
		addVeth(t, "veth-a", "veth-b")
		setUp(t, "veth-a")
		remove(t, "veth-a")
		netdev.queued(t)
	}
	ethtool := listen(t, "ethtool", "monitor")
	changeSettings(t, ethtool, 1700)
	for command := range uint8(50) {
		_ = ethtool.dump(t, command) // not every command has a dump
	}
	nlctrl := listen(t, "nlctrl")
	for _, family := range []string{"ethtool", "netdev", "mptcp_pm"} {
		if err := nlctrl.dump(t, getPolicy, nla(2, str(family))); err != nil {
			t.Fatal(err)
		}
	}
	messages := make(map[string][][]byte)
	for _, l := range []*listener{mptcp, netdev, ethtool, nlctrl} {
		messages[l.spec.Family] = l.raw
	}
	return messages
}

// changeSettings changes settings of devices that ethtool reports, each as often as rounds.
func changeSettings(t *testing.T, l *listener, rounds int) {
	t.Helper()
	addVeth(t, "veth-a", "veth-b")
	addTun(t, "tun-a")
	const linkmodesSet, debugSet, channelsSet, coalesceSet = 5, 8, 18, 20
	for i := range rounds {
		odd := u32(uint32(i % 2))
		l.request(t, linkmodesSet, deviceHeader("tun-a"), nla(5, u32(uint32(i))), nla(6, u8(uint8(i%2))))
		l.request(t, coalesceSet, deviceHeader("tun-a"), nla(3, u32(uint32(1+i%60))))
		l.request(t, channelsSet, deviceHeader("veth-a"), nla(6, u32(uint32(1+i%4))), nla(7, u32(uint32(1+i%3))))
		l.request(t, debugSet, deviceHeader("tun-a"), nla(2|isNested, nla(2, u32(32)), nla(4, odd), nla(5, u32(1))))
		setFeature(t, l, "veth-a", "tx-scatter-gather", i%2 == 1)
		l.queued(t)
	}
}

// queued receives the messages that are queued, up to the answer to a request: the kernel
// queues it after them.
func (l *listener) queued(t *testing.T) {
	t.Helper()
	request := genetlink.Message{Header: genetlink.Header{Command: getFamily, Version: 1}, Data: nla(2, str("nlctrl"))}
	sent, err := l.conn.Send(request, nlctrlID, netlink.Request)
	if err != nil {
		t.Fatal(err)
	}
	for {
		messages, headers, err := l.conn.Receive()
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range messages {
			if headers[i].Header.Sequence == sent.Header.Sequence {
				return
			}
			l.decode(t, append([]byte{m.Header.Command, m.Header.Version, 0, 0}, m.Data...))
		}
	}
}

// dump receives the answers to a request for all objects.
func (l *listener) dump(t *testing.T, command uint8, attributes ...[]byte) error {
	t.Helper()
	m := genetlink.Message{Header: genetlink.Header{Command: command, Version: 1}, Data: concat(attributes...)}
	messages, err := l.conn.Execute(m, l.family.ID, netlink.Request|netlink.Dump)
	for _, m := range messages {
		l.decode(t, append([]byte{m.Header.Command, m.Header.Version, 0, 0}, m.Data...))
	}
	return err
}
