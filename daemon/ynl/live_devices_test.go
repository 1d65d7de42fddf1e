// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// addTun creates a network device that has settings of ethtool. It exists until the test
// ends.
func addTun(t *testing.T, name string) {
	t.Helper()
	f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no device of type tun: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	request, err := unix.NewIfreq(name)
	if err != nil {
		t.Fatal(err)
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(int(f.Fd()), unix.TUNSETIFF, request); err != nil {
		t.Fatal(err)
	}
}

// interfaceIndex returns the index of a network device.
func interfaceIndex(t *testing.T, name string) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request); err != nil {
		t.Fatal(err)
	}
	return strconv.FormatUint(uint64(request.Uint32()), 10)
}

// connectMPTCP opens and closes a connection of Multipath TCP, and returns its port.
func connectMPTCP(t *testing.T) (port string) {
	t.Helper()
	socket := func() int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
		if err != nil {
			t.Skipf("no socket of Multipath TCP: %v", err)
		}
		return fd
	}
	try := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	server := socket()
	try(unix.Bind(server, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	try(unix.Listen(server, 1))
	address, err := unix.Getsockname(server)
	try(err)
	client := socket()
	try(unix.Connect(client, address))
	peer, _, err := unix.Accept(server)
	try(err)
	for range 3 { // data on the connection establishes it
		_, err = unix.Write(client, []byte("x"))
		try(err)
		_, err = unix.Read(peer, make([]byte, 1))
		try(err)
		_, err = unix.Write(peer, []byte("y"))
		try(err)
		_, err = unix.Read(client, make([]byte, 1))
		try(err)
	}
	for _, fd := range []int{client, peer, server} {
		try(unix.Close(fd))
	}
	return strconv.Itoa(address.(*unix.SockaddrInet4).Port)
}

// messagesDir contains captured messages: in each line the bytes and their JSON.
const messagesDir = "testdata/messages"

// capture writes the messages of a live test to the test data, if GENLTEST_CAPTURE is set.
func (l *listener) capture(t *testing.T) {
	t.Helper()
	l.logUnknown(t)
	if os.Getenv("GENLTEST_CAPTURE") == "" {
		return
	}
	var b strings.Builder
	var d Decoder
	for _, raw := range l.raw {
		m, err := d.Decode(l.spec, raw)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%x %s\n", raw, m.Attributes.AppendJSON(nil))
	}
	if err := os.WriteFile(filepath.Join(messagesDir, l.spec.Family+".txt"), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A captured message is one line of the test data.
type captured struct {
	raw  []byte
	json string
}

func readMessages(t testing.TB, name string) (all []captured) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		digits, json, _ := strings.Cut(lines.Text(), " ")
		raw, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, captured{raw, json})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// The messages were multicast by Linux 6.18 on a machine with little-endian numbers.
func TestCapturedMessages(t *testing.T) {
	if u32(1)[0] != 1 {
		t.Skip("the captured numbers are little-endian")
	}
	files, err := filepath.Glob(filepath.Join(messagesDir, "*.txt"))
	if err != nil || len(files) < 4 {
		t.Fatalf("captured messages: %v, %v", files, err)
	}
	for _, name := range files {
		family := strings.TrimSuffix(filepath.Base(name), ".txt")
		spec, err := Embedded(family)
		if err != nil {
			t.Fatal(err)
		}
		var d Decoder
		for i, c := range readMessages(t, name) {
			m, err := d.Decode(spec, c.raw)
			if diff := cmp.Diff(c.json, string(m.Attributes.AppendJSON(nil))); diff != "" || err != nil {
				t.Errorf("%s:%d: error %v, JSON (-want +got)\n%s", name, i+1, err, diff)
			}
		}
	}
}
