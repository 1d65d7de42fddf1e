// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

var (
	_ sink.AttributeHolder = (*Config)(nil)
	_ sink.Config          = (*Config)(nil)
	_ sink.Peer            = (*Config)(nil)
	_ sink.Templater       = (*Config)(nil)
	_ sink.Verifier        = (*Config)(nil)
	_ strict.Checker       = (*Config)(nil)
	_ strict.Conditional   = (*Config)(nil)
	_ strict.Foreign       = (*Config)(nil)
)

// Ineffective implements strict.Conditional.
func (c *Config) Ineffective() []strict.Ineffective {
	if c.Mechanism != mechanismExternal {
		return nil
	}
	const why = "with mechanism: external, which uses the client certificate; leave it out"
	return []strict.Ineffective{{Key: "user", Why: why}, {Key: "password", Why: why}}
}

// ForeignKeys implements strict.Foreign.
func (c *Config) ForeignKeys() []strict.ForeignKey {
	return append(value.TLSWords("tls."), []strict.ForeignKey{
		{
			Words:  "url uri urls amqp_url dsn connection_string",
			Key:    "addresses",
			Advice: "write addresses, a list such as [amqps://rabbit.example.com:5671], with user, password and vhost as keys of their own",
		},
		{Words: "address host hosts hostname server servers brokers broker endpoint endpoints nodes port", Key: "addresses"},
		{Words: "username login user_name", Key: "user"},
		{Words: "pass passwd", Key: "password"},
		{Words: "virtual_host virtualhost", Key: "vhost"},
		{Words: "sasl sasl_mechanism auth_mechanism auth_method authentication auth", Key: "mechanism"},
		{Words: "topic subject key routingkey queue", Key: "routing_key"},
		{Words: "exchange_name", Key: "exchange"},
		{Words: "delivery_mode durable persistence", Key: "persistent"},
		{Words: "mandatory unroutable", Key: "returned"},
		{Words: "ttl message_ttl expires", Key: "expiration"},
		{Words: "client_name client_id name_of_connection", Key: "connection_name"},
		{Words: "heartbeat_interval heartbeat_timeout keepalive keep_alive", Key: "heartbeat"},
		{Words: "prefetch window inflight max_inflight max_pending", Key: "max_in_flight"},
		{Words: "application_id application appid", Key: "app_id"},
		{Words: "message_type", Key: "type"},
		{Words: "header properties application_headers headers_table", Key: "headers"},
		{Words: "tls_config ssl", Key: "tls"},
		{
			Words: "exchange_type exchange_declare queue_declare declare exchange_durable",
			Key:   "exchange", Advice: "the sink does not create exchanges and queues; docs/sinks/amqp.md shows how to create them",
		},
		{Words: "confirm confirms publisher_confirms acknowledge", Advice: "messages are always confirmed; leave it out"},
		{Words: "timeout connection_timeout connect_timeout", Key: "^attempt_timeout"},
		{Words: "format encoding", Key: "^envelope"},
		{Words: "batch_size batchsize", Key: "^batch_events"},
	}...)
}

// CheckAttributes implements sink.AttributeHolder: headers contain the attributes.
func (c *Config) CheckAttributes(s strict.Section) {
	for i, h := range c.Headers {
		if strings.HasPrefix(h.Name, attributePrefix) {
			s.Errorf(fmt.Sprintf("headers[%d].name", i), "%s is written by cloudevents.mode: binary; leave one of them out",
				strict.Quote(h.Name))
		}
	}
}

// Peers implements sink.Peer.
func (c *Config) Peers() []sink.PeerSocket { return sink.TCPPeers(c.Addresses) }

// Verify implements sink.Verifier.
func (c *Config) Verify(event.Encoder) error {
	errs := []error{sink.VerifySecret("amqp.password", c.Password, nil)}
	if c.usesTLS() {
		errs = append(errs, tlsclient.Check(&c.TLS, "amqp.tls"))
	}
	return errors.Join(errs...)
}

func (c *Config) usesTLS() bool { return value.AnyScheme(c.Addresses, schemeTLS) }

func (c *Config) user() string { return cmp.Or(c.User, guest) }

// New implements sink.Config.
func (c *Config) New(env sink.Env) (sink.Sink, error) { return New(c, env) }
