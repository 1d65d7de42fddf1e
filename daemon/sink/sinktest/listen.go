// SPDX-License-Identifier: Apache-2.0

package sinktest

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// Listen returns a listener of a stream network, unix, tcp or tls, and its address. For
// tls it also returns the file of the authority that its clients have to trust.
func Listen(t testing.TB, network string) (l net.Listener, address, caFile string) {
	t.Helper()
	kind, address := "tcp", "127.0.0.1:0"
	if network == "unix" {
		kind, address = "unix", filepath.Join(t.TempDir(), "socket")
	}
	l, err := net.Listen(kind, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) // the test may have closed it
	if network != "tls" {
		return l, l.Addr().String(), ""
	}
	ca := NewCA(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.Certificate(t, "server", time.Hour)}, MinVersion: tls.VersionTLS12}
	return tls.NewListener(l, config), l.Addr().String(), ca.File
}

// FreeAddress returns an address on loopback that no process uses, for TCP and UDP, and
// that the kernel does not assign to clients: a server may be stopped there and started
// again.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		l.Close()
		conn, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		conn.Close()
		return address
	}
	t.Fatal("no port is free")
	return ""
}

// Certificate is Issue for a server within the test.
func (ca *CA) Certificate(t testing.TB, name string, valid time.Duration) tls.Certificate {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(ca.Issue(t, name, valid))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
