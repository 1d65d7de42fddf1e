// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A requester sends requests without waiting for answers. Only failed requests have one.
type requester struct{ conn *netlink.Conn }

func newRequester(t *testing.T, protocol int) requester {
	t.Helper()
	conn, err := netlink.Dial(protocol, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return requester{conn}
}

// send sends requests in one message. The kernel has carried them out when it returns.
func (r requester) send(requests []netlink.Message) error {
	_, err := r.conn.SendMessages(requests)
	return err
}

// failure returns the error of the first request that failed.
func (r requester) failure() error {
	raw, err := r.conn.SyscallConn()
	if err != nil {
		return err
	}
	var answer [headerLen + 4]byte
	var n int
	controlErr := raw.Control(func(fd uintptr) { n, _, err = unix.Recvfrom(int(fd), answer[:], unix.MSG_DONTWAIT) })
	switch {
	case controlErr != nil:
		return controlErr
	case errors.Is(err, unix.EAGAIN):
		return nil
	case err != nil || n < len(answer):
		return fmt.Errorf("receive an answer: %d bytes, %w", n, err)
	}
	return unix.Errno(-int32(binary.NativeEndian.Uint32(answer[headerLen:])))
}

// mustExecute sends one request and waits for its acknowledgement.
func (r requester) mustExecute(t *testing.T, request netlink.Message) {
	t.Helper()
	request.Header.Flags |= netlink.Acknowledge
	if _, err := r.conn.Execute(request); err != nil {
		t.Fatal(err)
	}
}

// encode returns attributes.
func encode(attributes func(*netlink.AttributeEncoder)) []byte {
	e := netlink.NewAttributeEncoder()
	attributes(e)
	b, err := e.Encode()
	if err != nil {
		panic(err) // an attribute of the test is longer than 64 KiB
	}
	return b
}

// nest adds an attribute that contains others.
func nest(e *netlink.AttributeEncoder, number uint16, attributes func(*netlink.AttributeEncoder)) {
	e.Nested(number, func(inner *netlink.AttributeEncoder) error {
		attributes(inner)
		return nil
	})
}

// linkRequest returns a request for a network device. up starts it.
func linkRequest(kind netlink.HeaderType, flags netlink.HeaderFlags, up bool, attributes func(*netlink.AttributeEncoder)) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: kind, Flags: netlink.Request | flags},
		Data:   append(linkHeader(up), encode(attributes)...),
	}
}

// linkHeader returns a struct ifinfomsg.
func linkHeader(up bool) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	if up {
		binary.NativeEndian.PutUint32(b[8:], unix.IFF_UP)
		binary.NativeEndian.PutUint32(b[12:], unix.IFF_UP)
	}
	return b
}

// ethtoolRequest returns a request of the family ethtool for a device.
func ethtoolRequest(family uint16, command uint8, device string, attributes func(*netlink.AttributeEncoder)) netlink.Message {
	const header = 1 // of every command
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(family), Flags: netlink.Request},
		Data: append([]byte{command, 1, 0, 0}, encode(func(e *netlink.AttributeEncoder) {
			nest(e, header, func(e *netlink.AttributeEncoder) {
				e.String(unix.ETHTOOL_A_HEADER_DEV_NAME, device)
				e.Uint32(unix.ETHTOOL_A_HEADER_FLAGS, unix.ETHTOOL_FLAG_OMIT_REPLY)
			})
			attributes(e)
		})...),
	}
}
