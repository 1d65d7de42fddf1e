// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"io"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

func TestBatchStartsOnANewConnectionAtTheAgeLimit(t *testing.T) {
	l, address, _ := sinktest.Listen(t, "tcp")
	got := make(chan string, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			text, _ := io.ReadAll(conn)
			conn.Close()
			got <- string(text)
		}
	}()
	config := configFor("tcp", address)
	config.Framing, config.MaxConnectionAge = framingNewline, value.Duration(time.Nanosecond)
	s := New(config, sink.Env{Encoder: sinktest.Text{}})
	for _, text := range []string{"a", "b", "c"} {
		if n, err := s.Deliver(t.Context(), sinktest.Texts(text)); n != 1 || err != nil {
			t.Errorf("accepted %d events, %v", n, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"a\n", "b\n", "c\n"} {
		if text := <-got; text != want {
			t.Errorf("a connection carried %q, want %q", text, want)
		}
	}
}
