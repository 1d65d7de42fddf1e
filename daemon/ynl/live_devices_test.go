// SPDX-License-Identifier: Apache-2.0

package ynl

import (
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
	family string
	raw    []byte
	json   string
	place  string // file and line
}

// storedMessages returns the messages of the test data.
func storedMessages(t testing.TB) (all []captured) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(messagesDir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		family := strings.TrimSuffix(filepath.Base(name), ".txt")
		for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
			digits, json, _ := strings.Cut(line, " ")
			raw, err := hex.DecodeString(digits)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, captured{family, raw, json, fmt.Sprintf("%s:%d", name, i+1)})
		}
	}
	return all
}

// The messages are those of Linux on machines with little-endian numbers.
func TestCapturedMessages(t *testing.T) {
	if u32(1)[0] != 1 {
		t.Skip("the captured numbers are little-endian")
	}
	families := make(map[string]bool)
	for _, c := range storedMessages(t) {
		spec, err := Embedded(c.family)
		if err != nil {
			t.Fatal(err)
		}
		var d Decoder
		m, err := d.Decode(spec, c.raw)
		if diff := cmp.Diff(c.json, string(m.Attributes.AppendJSON(nil))); diff != "" || err != nil {
			t.Errorf("%s: error %v, JSON (-want +got)\n%s", c.place, err, diff)
		}
		families[c.family] = true
	}
	if len(families) < 7 {
		t.Errorf("messages of %d families", len(families))
	}
}
