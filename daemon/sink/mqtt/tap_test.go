// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/syncbuffer"
)

// A tap forwards to a broker, and keeps the bytes that the client sends.
type tap struct {
	address string
	sent    syncbuffer.Buffer
}

func startTap(t testing.TB, target string) *tap {
	t.Helper()
	l, address, _ := sinktest.Listen(t, "tcp")
	p := &tap{address: address}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.forward(client, target)
		}
	}()
	return p
}

func (p *tap) forward(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		io.Copy(io.MultiWriter(server, &p.sent), client)
		server.Close()
	})
	io.Copy(client, server)
	client.Close()
	both.Wait()
}

func (p *tap) text() string { return p.sent.String() }
