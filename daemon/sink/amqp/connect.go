// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

const (
	// connectTimeout bounds the attempt at one address, so that an attempt can try the next.
	connectTimeout = 10 * time.Second

	// frameSize is the maximum size of a frame; the broker can choose a smaller one. Larger
	// messages are sent in several frames.
	frameSize = 128 << 10
)

// open connects to one address.
func (s *Sink) open(ctx context.Context, address value.Address, password string) (_ *session, err error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	o := &session{address: address, password: password, files: tlsclient.VersionOf(&s.config.TLS)}
	if err := o.dial(ctx, &s.config.TLS); err != nil {
		return nil, err
	}
	// The library does not know the context, and removes deadlines on its own.
	stop := context.AfterFunc(ctx, func() { o.raw.Close() })
	err = o.handshake(s.settings(password))
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		o.raw.Close()
		return nil, err
	}
	o.start(s.config.MaxInFlight)
	return o, nil
}

// dial opens the connection, without AMQP.
func (s *session) dial(ctx context.Context, t *value.TLS) (err error) {
	if s.raw, err = new(net.Dialer).DialContext(ctx, "tcp", s.address.HostPort()); err != nil {
		return err
	}
	s.conn = s.raw
	if !s.address.HasScheme(schemeTLS) {
		return nil
	}
	if s.conn, err = tlsclient.Handshake(ctx, s.raw, t, s.address.HostPort()); err != nil {
		s.raw.Close()
	}
	return err
}

// handshake opens the AMQP connection and a channel in confirm mode. The caller closes raw
// after an error, and to interrupt it.
func (s *session) handshake(settings amqp091.Config) (err error) {
	if s.amqp, err = amqp091.Open(s.conn, settings); err != nil {
		return err
	}
	if s.channel, err = s.amqp.Channel(); err != nil {
		return err
	}
	return s.channel.Confirm(false)
}

// settings are those of a new connection. Recovery is not configured: the library would send
// nothing again.
func (s *Sink) settings(password string) amqp091.Config {
	properties := amqp091.NewConnectionProperties()
	properties["product"] = "genltestd"
	properties["version"] = s.env.Version
	properties["connection_name"] = cmp.Or(s.config.ConnectionName, "genltestd/"+s.env.Sink)
	return amqp091.Config{
		SASL:  []amqp091.Authentication{&authentication{s.config, password, properties}},
		Vhost: s.config.VHost, FrameSize: frameSize, Locale: "en_US",
		Heartbeat: time.Duration(s.config.Heartbeat), Properties: properties,
	}
}

// An authentication is one mechanism. The library asks it for the response after it has set
// the capabilities of the client in the properties, and before it sends them.
type authentication struct {
	config     *Config
	password   string
	properties amqp091.Table
}

// Mechanism implements amqp091.Authentication.
func (a *authentication) Mechanism() string { return strings.ToUpper(a.config.Mechanism) }

// Response implements amqp091.Authentication. It adds the capability to receive the reason of
// a failure, which the library understands but does not announce. Without it, RabbitMQ closes
// the connection after some seconds and without a reason.
func (a *authentication) Response() string {
	if capabilities, ok := a.properties["capabilities"].(amqp091.Table); ok {
		capabilities["authentication_failure_close"] = true
	}
	if a.config.Mechanism == mechanismExternal {
		return new(amqp091.ExternalAuth).Response()
	}
	return (&amqp091.PlainAuth{Username: a.config.user(), Password: a.password}).Response()
}

// connectError describes why open has failed. The library reports a lost connection as
// wrong credentials or a wrong virtual host.
func (s *Sink) connectError(err error) string {
	var e *amqp091.Error
	switch {
	case errors.Is(err, amqp091.ErrSASL):
		return fmt.Sprintf("the broker does not offer the mechanism %s; enable it there, or change mechanism", s.config.Mechanism)
	case errors.Is(err, amqp091.ErrCredentials):
		return "the connection ended during the authentication"
	case errors.Is(err, amqp091.ErrVhost):
		return "the connection ended while the virtual host was opened"
	case errors.As(err, &e) && e.Server && e.Code == amqp091.AccessRefused && s.config.Mechanism == mechanismPlain:
		return fmt.Sprintf("authentication failed for user %q; check user and password: %s", s.config.user(), reply(e))
	case errors.As(err, &e) && e.Server && e.Code == amqp091.AccessRefused:
		return "authentication with the client certificate failed; check the users of the broker: " + reply(e)
	case errors.As(err, &e) && e.Server && e.Code == amqp091.NotAllowed:
		return fmt.Sprintf("the virtual host %q is not available to this connection; check vhost, its permissions and limits: %s",
			s.config.VHost, reply(e))
	case errors.As(err, &e):
		return reply(e)
	}
	return err.Error()
}
