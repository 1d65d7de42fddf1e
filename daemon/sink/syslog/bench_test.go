// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"io"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// Batches of 256 to a receiver that discards the data.
func BenchmarkDeliver(b *testing.B) {
	for _, network := range []string{"unixgram", "unixstream", "udp", "tcp", "tls"} {
		b.Run(network, func(b *testing.B) {
			s := newSink(discard(b, network))
			defer s.Close()
			sinktest.Measure(b, s, 256)
		})
	}
}

// discard returns a configuration that leads to a receiver.
func discard(b *testing.B, network string) *Config {
	b.Helper()
	if network == "udp" || network == "unixgram" {
		return configFor(network, receive(b, network).LocalAddr().String())
	}
	l, address, ca := sinktest.Listen(b, strings.TrimSuffix(network, "stream"))
	config := configFor(network, address)
	config.TLS = sinktest.TLS(ca, "", "")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go io.Copy(struct{ io.Writer }{io.Discard}, conn) // ends with the connection
		}
	}()
	return config
}
