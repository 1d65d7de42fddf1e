// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// sinkWithAddresses returns a sink to a name with these addresses.
func sinkWithAddresses(t *testing.T, addresses ...string) (*Sink, *udp) {
	t.Helper()
	s := newSink(configFor("udp", "loghost.example:514"))
	t.Cleanup(func() { s.Close() })
	u := s.transport.(*udp)
	u.resolve = func(context.Context, string) (list []netip.AddrPort, err error) {
		for _, addr := range addresses {
			list = append(list, netip.MustParseAddrPort(addr))
		}
		return list, nil
	}
	return s, u
}

func TestEveryAddressOfANameIsTried(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	closed := sinktest.FreeAddress(t)
	s, u := sinkWithAddresses(t, closed, server.LocalAddr().String())
	for range 2 { // the second batch is sent to the address that works
		if n, err := s.Deliver(t.Context(), sinktest.Events(1, 3)); n != 3 || err != nil {
			t.Fatalf("accepted %d, %v", n, err)
		}
	}
	if got := u.addresses[0].String(); got != server.LocalAddr().String() {
		t.Errorf("the address in use is %s", got)
	}
}

func TestErrorNamesEveryAddress(t *testing.T) {
	first, second := sinktest.FreeAddress(t), sinktest.FreeAddress(t)
	s, _ := sinkWithAddresses(t, first, second)
	n, err := s.Deliver(t.Context(), sinktest.Events(1, 3))
	if n != 0 || err == nil || !strings.Contains(err.Error(), "loghost.example:514 at "+first) ||
		!strings.Contains(err.Error(), "loghost.example:514 at "+second) {
		t.Errorf("accepted %d, %v", n, err)
	}
}
