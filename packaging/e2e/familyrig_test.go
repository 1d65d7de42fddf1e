// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/ynl"
	"github.com/genltestd/genltestd/internal/poll"
)

// Switches of the families that the tests use.
const (
	flap         = "/sys/linkflap/flap"
	stats        = "/sys/linkflap/stats"
	newDevice    = "/sys/bus/netdevsim/new_device"
	deleteDevice = "/sys/bus/netdevsim/del_device"
	breakHealth  = "/sys/kernel/debug/netdevsim/netdevsim7/health/break_health"
	monitor      = "/dev/virtio-ports/monitor"
)

// loadFamilies loads the modules whose families the tests use, and installs the
// specification that a user wrote for linkflap.
func loadFamilies(t *testing.T) {
	t.Helper()
	load := []string{"button", "genltest_linkflap"}
	if hasNetdevsim() {
		load = append(load, "netdevsim")
	}
	command(t, "modprobe", append([]string{"-a"}, load...)...)
	command(t, "install", "-D", "-m", "644", "testdata/linkflap.yaml", filepath.Join(ynl.OwnDir, "linkflap.yaml"))
	t.Cleanup(func() {
		for _, module := range load {
			if out, err := exec.Command("modprobe", "-r", module).CombinedOutput(); err != nil {
				t.Errorf("unload %s: %v\n%s", module, err, out)
			}
		}
		os.RemoveAll(ynl.OwnDir) // a failure appears in the next test
	})
}

// hasNetdevsim reports whether packaging/vm builds netdevsim for this kernel.
func hasNetdevsim() bool { return isKernel("6.12", "7") }

func isKernel(names ...string) bool { return slices.Contains(names, os.Getenv("GENLTEST_KERNEL")) }

// A familyEvent is one line of the sink's file.
type familyEvent struct {
	event
	Family, Group, Command, Error string
	Attributes                    map[string]any
}

// familyEvents returns the events of one family in the order of the sink's file. A kill can
// repeat the last batch of a sink: the repetitions, which have the same ids, are omitted.
func familyEvents(t *testing.T, family string) (list []familyEvent) {
	t.Helper()
	text, err := os.ReadFile(eventFile)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		var e familyEvent
		if json.Unmarshal([]byte(line), &e) != nil {
			continue // truncated by a kill
		}
		if e.Kind == "event" && e.Family == family && !seen[e.ID] {
			seen[e.ID] = true
			list = append(list, e)
		}
	}
	return list
}

// named returns the events with the command.
func named(list []familyEvent, command string) (found []familyEvent) {
	for _, e := range list {
		if e.Command == command {
			found = append(found, e)
		}
	}
	return found
}

func isSubscribed(family string) bool {
	return metric(fmt.Sprintf("genltestd_subscribed{family=%q}", family)) >= 1
}

func (u unit) untilSubscribed(families ...string) {
	u.t.Helper()
	for _, family := range families {
		u.eventually("a subscription to "+family, func() bool { return isSubscribed(family) })
	}
}

// A listener counts the messages of a multicast group, independently of the daemon.
type listener struct{ received atomic.Int64 }

func listen(t *testing.T, family, group string) *listener {
	t.Helper()
	conn, err := genetlink.Dial(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	raw, err := conn.SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
		}), err)
	}
	if err == nil {
		err = join(conn, family, group)
	}
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{}
	go func() {
		for {
			messages, _, err := conn.Receive()
			if err != nil {
				return // closed at the end of the test
			}
			l.received.Add(int64(len(messages)))
		}
	}()
	return l
}

// total returns the number of messages, after the last of them has arrived. The kernel sends
// to all sockets at once, so that the listener only has to process what its buffer contains.
func (l *listener) total(t *testing.T) int {
	t.Helper()
	last := int64(-1)
	poll.Until(t, "the listener is idle", func() bool {
		n := l.received.Load()
		idle := n == last
		last = n
		time.Sleep(200 * time.Millisecond)
		return idle
	})
	return int(last)
}

func join(conn *genetlink.Conn, family, group string) error {
	found, err := conn.GetFamily(family)
	if err != nil {
		return err
	}
	for _, g := range found.Groups {
		if g.Name == group {
			return conn.JoinGroup(g.ID)
		}
	}
	return fmt.Errorf("family %s has no group %s", family, group)
}

// toggleOffload switches an offload of the device, of which the kernel notifies by ethtool.
func toggleOffload(device string, on bool) error {
	conn, err := genetlink.Dial(nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	family, err := conn.GetFamily("ethtool")
	if err != nil {
		return err
	}
	request := netlink.NewAttributeEncoder()
	request.Nested(unix.ETHTOOL_A_FEATURES_HEADER, func(header *netlink.AttributeEncoder) error {
		header.String(unix.ETHTOOL_A_HEADER_DEV_NAME, device)
		return nil
	})
	request.Nested(unix.ETHTOOL_A_FEATURES_WANTED, func(wanted *netlink.AttributeEncoder) error {
		wanted.Nested(unix.ETHTOOL_A_BITSET_BITS, func(bits *netlink.AttributeEncoder) error {
			bits.Nested(unix.ETHTOOL_A_BITSET_BITS_BIT, func(bit *netlink.AttributeEncoder) error {
				bit.String(unix.ETHTOOL_A_BITSET_BIT_NAME, "rx-gro")
				bit.Flag(unix.ETHTOOL_A_BITSET_BIT_VALUE, on)
				return nil
			})
			return nil
		})
		return nil
	})
	data, err := request.Encode()
	if err != nil {
		return err
	}
	header := genetlink.Header{Command: unix.ETHTOOL_MSG_FEATURES_SET, Version: family.Version}
	_, err = conn.Execute(genetlink.Message{Header: header, Data: data}, family.ID, netlink.Request|netlink.Acknowledge)
	return err
}

// addDevice adds a network device until the end of the test.
func addDevice(t *testing.T, name string) {
	t.Helper()
	command(t, "ip", "link", "add", name, "type", "dummy")
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", name).Run() }) // the test may have deleted it
}

// connectMPTCP opens and closes a connection of Multipath TCP, and returns the port of the server.
func connectMPTCP(t *testing.T) (port int) {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(true)
	server, err := config.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	ended := make(chan error, 1)
	go func() {
		conn, err := server.Accept()
		if err == nil {
			_, err = io.Copy(conn, conn)
			err = errors.Join(err, conn.Close())
		}
		ended <- err
	}()
	var dialer net.Dialer
	dialer.SetMultipathTCP(true)
	conn, err := dialer.DialContext(t.Context(), "tcp4", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tcp := conn.(*net.TCPConn)
	if is, err := tcp.MultipathTCP(); err != nil || !is {
		t.Fatalf("the connection uses MPTCP: %v, %v", is, err)
	}
	if _, err := tcp.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := tcp.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(tcp); err != nil || string(text) != "hello" {
		t.Fatalf("the server returned %q, %v", text, err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	return server.Addr().(*net.TCPAddr).Port
}
