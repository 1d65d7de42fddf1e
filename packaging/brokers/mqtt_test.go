// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/realserver"
)

// A mqttBroker is a mosquitto with a subscriber, which connects to a listener of its own. The broker
// saves the subscription once, so that events after a kill wait for the subscriber.
type mqttBroker struct {
	*realserver.Server
	address, subscribers string
	config, text         string
	subscriber           *mqttSubscriber
}

// mqttWindow is max_in_flight, which bounds the duplicates of a connection, and batch_events, which
// bounds those of a process.
const mqttWindow = 100

func startMQTT(t *testing.T, a access) broker {
	t.Helper()
	dir := t.TempDir()
	b := &mqttBroker{address: sinktest.FreeAddress(t), subscribers: sinktest.FreeAddress(t), config: filepath.Join(dir, "mosquitto.conf")}
	b.text = "user root\nper_listener_settings true\npersistence true\npersistence_location " + dir + "/\nautosave_interval 0\n" +
		"max_queued_messages 0\nmax_inflight_messages 0\n" +
		mqttListener(b.subscribers) + "allow_anonymous true\n" + mqttListener(b.address)
	switch {
	case a.user != "":
		file := filepath.Join(dir, "users")
		command := exec.CommandContext(t.Context(), sinktest.Program(t, "mosquitto_passwd"), "-b", "-c", file, a.user, a.password)
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		b.text += "password_file " + file + "\n"
	case a.tls != nil:
		b.text += fmt.Sprintf("allow_anonymous true\ncafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate true\n",
			a.tls.ca, a.tls.cert, a.tls.key)
	default:
		b.text += "allow_anonymous true\n"
	}
	write(t, b.config, b.text)
	b.Server = realserver.Start(t, realserver.Spec{Program: "mosquitto", Args: []string{"-c", b.config}, Ready: b.ready})
	b.subscriber = subscribeMQTT(t, b.subscribers)
	b.Signal(syscall.SIGUSR1) // save
	poll.UntilNil(t, "the subscription is saved", func() error { _, err := os.Stat(filepath.Join(dir, "mosquitto.db")); return err })
	return b
}

func (b *mqttBroker) ready() error {
	conn, err := net.DialTimeout("tcp", b.address, time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

func mqttListener(address string) string {
	host, port, _ := net.SplitHostPort(address)
	return "listener " + port + " " + host + "\n"
}

func (b *mqttBroker) addresses() []string { return []string{b.address} }
func (b *mqttBroker) kill()               { b.Kill() }
func (b *mqttBroker) restart()            { b.Restart() }
func (b *mqttBroker) freeze()             { b.Freeze() }
func (b *mqttBroker) thaw()               { b.Thaw() }

func (b *mqttBroker) sink(addresses []string, c clientAccess) string {
	scheme, rest := "mqtt://", ""
	if c.user != "" {
		rest = fmt.Sprintf("  user: %s\n  password: {file: %s}\n", c.user, c.passwordFile)
	}
	if c.tls != nil {
		scheme = "mqtts://"
		rest += fmt.Sprintf("  tls: {ca: %s, cert: %s, key: %s}\n", c.tls.ca, c.tls.cert, c.tls.key)
	}
	return fmt.Sprintf("mqtt:\n  addresses: [%s]\n  max_in_flight: %d\n%s", scheme+strings.Join(addresses, ", "+scheme), mqttWindow, rest)
}

// stored waits until no event has arrived for a second.
func (b *mqttBroker) stored(t *testing.T) []string {
	t.Helper()
	n, since := 0, time.Now()
	poll.Until(t, "no event arrives any more", func() bool {
		if m := len(b.subscriber.received()); m != n {
			n, since = m, time.Now()
		}
		return time.Since(since) > time.Second
	})
	return b.subscriber.received()
}

// A mqttSubscriber receives all messages with QoS 1, in a session that outlasts its connections.
type mqttSubscriber struct {
	address string
	ended   chan struct{}

	mu         sync.Mutex
	conn       net.Conn
	subscribed bool
	ids        []string
}

func subscribeMQTT(t *testing.T, address string) *mqttSubscriber {
	t.Helper()
	s := &mqttSubscriber{address: address, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		for t.Context().Err() == nil {
			s.session()
			time.Sleep(5 * time.Millisecond) // before the next try
		}
	}()
	t.Cleanup(func() {
		s.mu.Lock()
		if s.conn != nil {
			s.conn.Close()
		}
		s.mu.Unlock()
		<-s.ended
	})
	poll.Until(t, "the subscriber has subscribed", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.subscribed
	})
	return s
}

// session receives over one connection.
func (s *mqttSubscriber) session() {
	conn, err := net.DialTimeout("tcp", s.address, time.Second)
	if err != nil {
		return
	}
	defer conn.Close()
	s.mu.Lock()
	s.conn = conn
	s.mu.Unlock()
	expiry := uint32(3600)
	hello := &packets.Connect{
		ProtocolName: "MQTT", ProtocolVersion: 5, ClientID: "subscriber", KeepAlive: 60,
		Properties: &packets.Properties{SessionExpiryInterval: &expiry},
	}
	if _, err := hello.WriteTo(conn); err != nil {
		return
	}
	for r := bufio.NewReader(conn); ; {
		p, err := packets.ReadPacket(r)
		if err != nil {
			return
		}
		s.process(conn, p)
	}
}

// process ignores errors of answers: messages that have arrived before them can still be read.
func (s *mqttSubscriber) process(conn net.Conn, p *packets.ControlPacket) {
	switch c := p.Content.(type) {
	case *packets.Connack:
		all := []packets.SubOptions{{Topic: "#", QoS: 1}}
		_, _ = (&packets.Subscribe{PacketID: 1, Subscriptions: all, Properties: &packets.Properties{}}).WriteTo(conn)
	case *packets.Suback:
		s.mu.Lock()
		s.subscribed = true
		s.mu.Unlock()
	case *packets.Publish:
		s.mu.Lock()
		s.ids = append(s.ids, c.Properties.User[0].Value)
		s.mu.Unlock()
		_, _ = (&packets.Puback{PacketID: c.PacketID, Properties: &packets.Properties{}}).WriteTo(conn)
	}
}

func (s *mqttSubscriber) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids[:len(s.ids):len(s.ids)]
}

func TestMQTT(t *testing.T) {
	const why = "mosquitto at its memory_limit cannot reload its configuration; the tests of the kind restart it"
	keys := fmt.Sprintf("attempt_timeout: 2s\nbatch_events: %d", mqttWindow)
	run(t, kind{start: startMQTT, window: mqttWindow, keys: keys, skip: map[string]string{"full": why}})
}
