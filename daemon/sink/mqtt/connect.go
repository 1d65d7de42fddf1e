// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink/stream"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

// An access is what a connection depends on, as it was when the connection was made.
type access struct {
	clientID string
	password string
	files    tlsclient.Version
}

// dial opens a connection to a broker, with TLS if the address requires it.
func (s *Sink) dial(ctx context.Context, address value.Address) (net.Conn, error) {
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}}
	place := address.HostPort()
	dialed, err := dialer.DialContext(ctx, "tcp", place)
	if err != nil {
		return nil, err
	}
	conn, err := newPromptConn(dialed)
	if err != nil || !address.HasScheme(schemeTLS) {
		return conn, err
	}
	secured, err := tlsclient.Handshake(ctx, conn, &s.config.TLS, place)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secured, nil
}

// open connects to a broker, and returns a link that is not yet started.
func (s *Sink) open(ctx context.Context, address value.Address, a *access) (*link, *bufio.Reader, error) {
	conn, err := s.dial(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	release := stream.Bind(ctx, conn)
	reader := bufio.NewReaderSize(conn, 16<<10)
	answer, err := s.introduce(conn, reader, a)
	release()
	if err != nil {
		conn.Close() // the reason is known already
		return nil, nil, err
	}
	conn.SetDeadline(time.Time{})
	return s.newLink(conn, address, answer), reader, nil
}

// introduce sends CONNECT and returns the CONNACK of a broker that accepts the connection.
func (s *Sink) introduce(conn net.Conn, r *bufio.Reader, a *access) (*packets.Connack, error) {
	_, _ = s.greeting(a).WriteTo(conn) // the read fails too, and knows the reason, such as an alert of TLS
	p, err := readPacket(r)
	if err != nil {
		return nil, fmt.Errorf("await CONNACK: %w", err)
	}
	switch c := p.Content.(type) {
	case *packets.Connack:
		if r := refused(c.ReasonCode, c.Properties.ReasonString); r != nil {
			return nil, r
		}
		return c, nil
	case *packets.Disconnect: // some brokers send it in place of a CONNACK
		if r := refused(c.ReasonCode, c.Properties.ReasonString); r != nil {
			return nil, r
		}
	}
	return nil, fmt.Errorf("the broker answered CONNECT with an unexpected packet, %s", p.PacketType())
}

// greeting returns the CONNECT packet.
func (s *Sink) greeting(a *access) *packets.Connect {
	expiry, incoming, one := uint32(time.Duration(s.config.SessionExpiry)/time.Second), uint32(maxIncoming), uint16(1)
	return &packets.Connect{
		ProtocolName: "MQTT", ProtocolVersion: 5, ClientID: a.clientID,
		// A session of an earlier process is of no use: its numbers are not known any more.
		CleanStart: expiry == 0 || s.resumable == nil,
		KeepAlive:  uint16(time.Duration(s.config.KeepAlive) / time.Second),
		Username:   s.config.User, UsernameFlag: s.config.User != "",
		Password: []byte(a.password), PasswordFlag: a.password != "",
		Properties: &packets.Properties{SessionExpiryInterval: &expiry, MaximumPacketSize: &incoming, ReceiveMaximum: &one},
	}
}

// newLink returns a link with the settings of a CONNACK.
func (s *Sink) newLink(conn net.Conn, address value.Address, answer *packets.Connack) *link {
	l := &link{
		conn: conn, name: string(address), limits: limitsOf(answer.Properties), mask: s.env.Mask, ended: s.window.Fail,
		keepAlive: time.Duration(s.config.KeepAlive), born: time.Now(), number: s.number,
	}
	if k := answer.Properties.ServerKeepAlive; k != nil && *k > 0 {
		l.keepAlive = time.Duration(*k) * time.Second
	}
	l.aliases = newAliases(min(int(l.limits.aliases), s.config.TopicAliases))
	if answer.SessionPresent {
		l.resume(s.resumable)
	}
	return l
}

// check returns an error if the broker does not support a setting.
func (l *link) check(c *Config) error {
	switch {
	case c.QoS > int(l.limits.qos):
		return refused(codeQoS, "")
	case c.Retain && !l.limits.retain:
		return refused(codeRetain, "")
	}
	return nil
}
