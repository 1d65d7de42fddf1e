// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"errors"
	"fmt"

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
	_ sink.SingleWorker    = (*Config)(nil)
	_ sink.Templater       = (*Config)(nil)
	_ sink.Verifier        = (*Config)(nil)
	_ strict.Checker       = (*Config)(nil)
	_ strict.Conditional   = (*Config)(nil)
	_ strict.Foreign       = (*Config)(nil)
)

// ForeignKeys implements strict.Foreign.
func (c *Config) ForeignKeys() []strict.ForeignKey {
	return append(value.TLSWords("tls."), []strict.ForeignKey{
		{
			Words: "address host server servers port url urls uri broker brokers broker_url endpoint remote destination server_urls",
			Key:   "addresses", Advice: "write addresses, a list such as [mqtts://broker.example.com:8883]",
		},
		{Words: "topic_prefix topic_name publish_topic base_topic subject", Key: "topic"},
		{Words: "qos_level quality_of_service delivery", Key: "qos"},
		{Words: "retained retain_flag", Key: "retain"},
		{Words: "clientid client client_identifier id", Key: "client_id"},
		{Words: "username login", Key: "user"},
		{Words: "pass passwd secret password_file token", Key: "password"},
		{Words: "keepalive keep_alive_interval ping_interval heartbeat", Key: "keep_alive"},
		{
			Words: "clean_start clean_session cleansession persistent", Key: "session_expiry",
			Advice: "write session_expiry: 0 for a new session on each connection, or the time for which the broker keeps the session",
		},
		{Words: "session_expiry_interval session_timeout", Key: "session_expiry"},
		{Words: "message_expiry_interval expiry ttl message_ttl", Key: "message_expiry"},
		{Words: "topic_alias topic_alias_maximum max_topic_alias", Key: "topic_aliases"},
		{Words: "max_inflight max_inflight_messages receive_maximum inflight window", Key: "max_in_flight"},
		{
			Words: "properties user_property headers attributes metadata", Key: "user_properties",
			Advice: `write user_properties, a list of {name: site, value: "{{.Labels.site}}"}`,
		},
		{Words: "protocol protocol_version version", Advice: "the version is always MQTT 5; leave the key out"},
		{Words: "will last_will lwt", Advice: "a last will is not supported; monitor the daemon's metrics instead"},
		{Words: "format data_format encoding", Key: "^envelope"},
		{Words: "payload body", Key: "^template"},
		{Words: "timeout connect_timeout connection_timeout write_timeout", Key: "^attempt_timeout"},
		{Words: "batch_size batchsize max_batch", Key: "^batch_events"},
		{Words: "retry_interval max_reconnect_interval reconnect_delay", Key: "^retry_max"},
		{Words: "tls_config ssl", Key: "tls"},
	}...)
}

// Ineffective implements strict.Conditional.
func (c *Config) Ineffective() []strict.Ineffective {
	if c.QoS == 0 {
		return []strict.Ineffective{{Key: "session_expiry", Why: "with qos: 0, which leaves nothing in a session; leave it out"}}
	}
	return nil
}

// WhyOneWorker implements sink.SingleWorker.
func (c *Config) WhyOneWorker() string {
	return "a broker accepts one connection for each client id, and its messages overlap already"
}

// CheckAttributes implements sink.AttributeHolder: user properties contain the attributes.
func (c *Config) CheckAttributes(s strict.Section) {
	for i, p := range c.UserProperties {
		switch p.Name {
		case "specversion", "type", "source", "subject", "sequence":
			s.Errorf(fmt.Sprintf("user_properties[%d].name", i), "%s is written by cloudevents.mode: binary; leave one of them out", p.Name)
		}
	}
}

// Peers implements sink.Peer.
func (c *Config) Peers() []sink.PeerSocket { return sink.TCPPeers(c.Addresses) }

// Templates implements sink.Templater.
func (c *Config) Templates() []sink.Template {
	list := []sink.Template{{Key: "mqtt.topic", Text: c.Topic, Replace: replaceInTopic, Accept: acceptTopic}}
	for i, p := range c.UserProperties {
		list = append(list, sink.Template{
			Key: fmt.Sprintf("mqtt.user_properties[%d].value", i), Text: p.Value, Replace: replaceInText, Accept: acceptText,
		})
	}
	return list
}

// Verify implements sink.Verifier. It reads the secret and the TLS files.
func (c *Config) Verify(event.Encoder) error {
	errs := []error{sink.VerifySecret("mqtt.password", c.Password, nil)}
	if c.usesTLS() {
		errs = append(errs, tlsclient.Check(&c.TLS, "mqtt.tls"))
	}
	return errors.Join(errs...)
}

func (c *Config) usesTLS() bool { return value.AnyScheme(c.Addresses, schemeTLS) }

// New implements sink.Config.
func (c *Config) New(env sink.Env) (sink.Sink, error) { return New(c, env) }
