// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// Batches of 256 to a peer that discards the data.
func BenchmarkClient(b *testing.B) {
	for _, network := range []string{"unix", "tcp", "tls"} {
		for _, confirm := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/acknowledge=%t", network, confirm), func(b *testing.B) {
				c := NewClient(discardingPeer(b, network, confirm), jsonEnv())
				defer c.Close()
				sinktest.Measure(b, c, 256)
			})
		}
	}
}

func BenchmarkListener(b *testing.B) {
	for _, readers := range []int{0, 1, 3} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "events.sock")
			l := NewListener(listenConfig(path, Listen{Permissions: 0o600, Buffer: 1 << 20, MaxReaders: 8}), jsonEnv())
			defer l.Close()
			for range readers {
				conn, err := net.Dial("unix", path)
				if err != nil {
					b.Fatal(err)
				}
				go io.Copy(struct{ io.Writer }{io.Discard}, conn) // ends with the listener
			}
			for l.Stats().Readers < readers {
				time.Sleep(time.Millisecond)
			}
			sinktest.Measure(b, l, 256)
			b.ReportMetric(float64(l.Stats().Missed), "missed")
		})
	}
}

// discardingPeer returns a configuration that leads to a peer, which may confirm the last of each
// 256 events.
func discardingPeer(b *testing.B, network string, confirm bool) *Config {
	b.Helper()
	l, address, ca := sinktest.Listen(b, network)
	config := connectConfig(network, address)
	config.Acknowledge, config.TLS = confirm, sinktest.TLS(ca, "", "")
	last := append(sinktest.Events(1, 256)[255].AppendID(nil), '\n')
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go discardLines(conn, confirm, last)
		}
	}()
	return config
}

func discardLines(conn net.Conn, confirm bool, last []byte) {
	in := bufio.NewReaderSize(conn, 64<<10)
	end := append([]byte(`{"id":"`), bytes.TrimSpace(last)...)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		if confirm && bytes.HasPrefix(line, end) {
			conn.Write(last) // the benchmark would hang
		}
	}
}
