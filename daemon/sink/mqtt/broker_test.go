// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/realserver"
)

// A broker is a mosquitto.
type broker struct {
	*realserver.Server
	address string // host:port
	dir     string
	config  string
}

// startBroker starts a mosquitto with more lines in its configuration. Without a listener among
// them, it listens without TLS, for any user.
func startBroker(t testing.TB, lines ...string) *broker {
	t.Helper()
	b := &broker{address: sinktest.FreeAddress(t), dir: t.TempDir()}
	b.config = filepath.Join(b.dir, "mosquitto.conf")
	b.configure(t, lines...)
	b.Server = realserver.Start(t, realserver.Spec{
		Program: "mosquitto", Args: []string{"-c", b.config},
		Ready: func() error {
			conn, err := net.Dial("tcp", b.address)
			if err == nil {
				conn.Close()
			}
			return err
		},
	})
	return b
}

// configure writes the configuration. The broker reads it at its next start.
func (b *broker) configure(t testing.TB, lines ...string) {
	t.Helper()
	_, port, err := net.SplitHostPort(b.address)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("listener %s 127.0.0.1\nuser root\npersistence true\npersistence_location %s/\n"+
		"max_queued_messages 0\nlog_type all\n", port, b.dir)
	if joined := strings.Join(lines, "\n"); !strings.Contains(joined, "allow_anonymous") {
		text += "allow_anonymous true\n"
	}
	if err := os.WriteFile(b.config, []byte(text+strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A witness is a subscriber with QoS 1 and a session that outlasts its connections. It connects
// again until the test ends.
type witness struct {
	dial   func() (net.Conn, error)
	filter string
	stop   chan struct{}
	ended  sync.WaitGroup

	mu         sync.Mutex
	conn       net.Conn
	subscribed bool
	messages   []*packets.Publish
}

// watch starts a witness of all messages, and waits until it has subscribed.
func watch(t testing.TB, address string) *witness {
	t.Helper()
	w := &witness{filter: "#", stop: make(chan struct{}), dial: func() (net.Conn, error) { return net.Dial("tcp", address) }}
	w.start(t)
	return w
}

func (w *witness) start(t testing.TB) {
	t.Helper()
	w.ended.Go(func() {
		for !w.isStopped() {
			w.session()
			w.setSubscribed(false)
			time.Sleep(5 * time.Millisecond) // before the next try
		}
	})
	t.Cleanup(w.end)
	w.awaitSubscription(t)
}

// awaitSubscription waits until the broker knows the subscription.
func (w *witness) awaitSubscription(t testing.TB) {
	t.Helper()
	poll.Until(t, "the witness has subscribed", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.subscribed
	})
}

func (w *witness) setSubscribed(is bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.subscribed = is
}

// again starts a witness that continues the session of w, which has ended.
func (w *witness) again(t testing.TB) *witness {
	t.Helper()
	next := &witness{filter: w.filter, stop: make(chan struct{}), dial: w.dial}
	next.start(t)
	return next
}

func (w *witness) isStopped() bool {
	select {
	case <-w.stop:
		return true
	default:
		return false
	}
}

func (w *witness) end() {
	w.mu.Lock()
	if !w.isStopped() {
		close(w.stop)
	}
	if w.conn != nil {
		w.conn.Close()
	}
	w.mu.Unlock()
	w.ended.Wait()
}

// session receives messages over one connection.
func (w *witness) session() {
	conn, err := w.dial()
	if err != nil {
		return
	}
	defer conn.Close()
	w.mu.Lock()
	w.conn = conn
	stopped := w.isStopped()
	w.mu.Unlock()
	expiry := uint32(3600)
	hello := &packets.Connect{
		ProtocolName: "MQTT", ProtocolVersion: 5, ClientID: "witness", KeepAlive: 60,
		Properties: &packets.Properties{SessionExpiryInterval: &expiry},
	}
	if _, err := hello.WriteTo(conn); stopped || err != nil {
		return
	}
	for r := bufio.NewReader(conn); ; {
		p, err := packets.ReadPacket(r)
		if err != nil || w.process(conn, p) != nil {
			return
		}
	}
}

func (w *witness) process(conn net.Conn, p *packets.ControlPacket) (err error) {
	switch c := p.Content.(type) {
	case *packets.Connack:
		subscribe := &packets.Subscribe{
			PacketID: 1, Properties: &packets.Properties{},
			Subscriptions: []packets.SubOptions{{Topic: w.filter, QoS: 1}},
		}
		_, err = subscribe.WriteTo(conn)
	case *packets.Suback:
		w.setSubscribed(true)
	case *packets.Publish:
		w.mu.Lock()
		w.messages = append(w.messages, c)
		w.mu.Unlock()
		if c.QoS > 0 {
			// After an error, messages that have arrived before it can still be read.
			_, _ = (&packets.Puback{PacketID: c.PacketID, Properties: &packets.Properties{}}).WriteTo(conn)
		}
	}
	return err
}

// received returns the messages so far.
func (w *witness) received() []*packets.Publish {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.messages[:len(w.messages):len(w.messages)]
}

// await waits until the witness has received n messages, and returns them.
func (w *witness) await(t testing.TB, n int) []*packets.Publish {
	t.Helper()
	poll.Until(t, fmt.Sprintf("the witness has received %d messages", n), func() bool { return len(w.received()) >= n })
	return w.received()
}

// awaitEvent waits until the witness has received the event with an id.
func (w *witness) awaitEvent(t testing.TB, id string) {
	t.Helper()
	poll.Until(t, "event "+id+" has arrived", func() bool {
		return slices.ContainsFunc(w.received(), func(m *packets.Publish) bool { return m.Properties.User[0].Value == id })
	})
}
