// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

func TestFraming(t *testing.T) {
	list := sinktest.Texts("<14>1 a", "b\nc\x00\r\n", "\u202ecaf\u00e9")
	tests := map[string]string{
		framingOctets:  "7 <14>1 a8 b\\nc\\x0011 \\u202ecaf\u00e9",
		framingNewline: "<14>1 a\nb\\nc\\x00\n\\u202ecaf\u00e9\n",
	}
	for framing, want := range tests {
		m := &messages{encoder: sinktest.Text{}, framing: framing, limit: 100}
		if err := m.encode(list); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(m.buf)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", framing, diff)
		}
		for n, want := range map[int]int{0: 0, m.ends[0] - 1: 0, m.ends[0]: 1, m.ends[1] + 1: 2, len(m.buf): 3} {
			if got := m.within(n); got != want {
				t.Errorf("%s: %d messages within %d bytes, want %d", framing, got, n, want)
			}
		}
	}
}

// For every text, each line is one message, and each frame has its length.
func FuzzFraming(f *testing.F) {
	f.Add([]byte("a\nb"), []byte("12 x"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		list := sinktest.Texts(string(a), string(b))
		lines := &messages{encoder: sinktest.Text{}, framing: framingNewline, limit: 1 << 20}
		if err := lines.encode(list); err == nil && strings.Count(string(lines.buf), "\n") != 2 {
			t.Errorf("%q is not two lines", lines.buf)
		}
		frames := &messages{encoder: sinktest.Text{}, framing: framingOctets, limit: 1 << 20}
		if err := frames.encode(list); err != nil {
			return
		}
		rest := string(frames.buf)
		for _, text := range [][]byte{a, b} {
			want := string(event.AppendLine(nil, text))
			var n int
			if _, err := fmt.Sscanf(rest, "%d ", &n); err != nil {
				t.Fatal(err)
			}
			rest = rest[strings.IndexByte(rest, ' ')+1:]
			if rest[:n] != want {
				t.Fatalf("got %q, want %q", rest[:n], want)
			}
			rest = rest[n:]
		}
	})
}

// An event that no attempt can deliver is refused permanently, after the events before it.
func TestUnencodableEventsAreRejectedPermanently(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	tests := []struct {
		name, network, text string
		limit               value.Size
		want                string
		kind                sink.RefusalKind
	}{
		{"encoder", "udp", sinktest.Refused, 100, "event j-3: no", sink.RefusedEncode},
		{"empty", "unixgram", "", 100, "event j-3: the message is empty", sink.RefusedEncode},
		{
			"longer than the limit", "udp", "more than ten", 10,
			"event j-3: the message has 13 bytes, more than max_message allows, which is 10", sink.RefusedTooLarge,
		},
		{"longer than a datagram of UDP", "udp", long, 1 << 20, "70000 bytes: ", sink.RefusedTooLarge},
		{"longer than a local datagram", "unixgram", strings.Repeat(long, 10), 1 << 20, "700000 bytes: ", sink.RefusedTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			receiver := receive(t, tt.network)
			config := configFor(tt.network, receiver.LocalAddr().String())
			config.MaxMessage = tt.limit
			s := New(config, sink.Env{Encoder: sinktest.Text{}})
			defer s.Close()
			n, err := s.Deliver(t.Context(), sinktest.Texts("a", "b", tt.text, "c"))
			if n != 2 || sink.Poisoned(err) != 1 || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("accepted %d events, %v", n, err)
			}
			if got := sink.RefusalOf(err).Kind; got != tt.kind {
				t.Errorf("refusal %q of %v", got, err)
			}
			if n, err := s.Deliver(t.Context(), sinktest.Texts("c")); n != 1 || err != nil {
				t.Errorf("accepted %d events after it, %v", n, err)
			}
		})
	}
}

// receive returns a datagram socket that receives all datagrams.
func receive(t testing.TB, network string) net.PacketConn {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unixgram" {
		address = filepath.Join(t.TempDir(), "log")
	}
	conn, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		for p := make([]byte, 1<<20); ; {
			if _, _, err := conn.ReadFrom(p); err != nil {
				return
			}
		}
	}()
	return conn
}
