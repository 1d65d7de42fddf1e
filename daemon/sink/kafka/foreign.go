// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
)

// ForeignKeys implements strict.Foreign.
func (c *Config) ForeignKeys() []strict.ForeignKey {
	words := append(value.TLSWords("tls."), saslWords("sasl.")...)
	return append(words, []strict.ForeignKey{
		{
			Words: "brokers bootstrap_servers bootstrap_server hosts servers seeds seed_brokers broker_list metadata_broker_list " +
				"address url host endpoints",
			Key: "addresses", Advice: "write addresses, a list like [tls://kafka.example.com:9093]",
		},
		{Words: "topics topic_name topic_id", Key: "topic"},
		{Words: "partition_key message_key key_field record_key routing_key", Key: "key"},
		{
			Words: "header record_headers message_headers", Key: "headers",
			Advice: "write headers, a list of {name: site, value: '{{.Labels.site}}'}",
		},
		{Words: "compression_type compression_codec codec", Key: "compression"},
		{Words: "clientid", Key: "client_id"},
		{Words: "max_message_bytes message_max_bytes max_request_size max_bytes batch_max_bytes", Key: "max_message"},
		{Words: "auto_create_topics allow_auto_topic_creation auto_create_topic create_topics", Key: "create_topic"},
		{
			Words:  "acks required_acks request_required_acks enable_idempotence idempotent idempotence",
			Advice: "leave it out: each event waits for all in-sync replicas, and the producer is always idempotent",
		},
		{
			Words:  "retries max_retries message_send_max_retries delivery_timeout max_in_flight",
			Advice: "leave it out: events are sent until the brokers accept them; retry_max, next to kafka, is the longest pause between attempts",
		},
		{Words: "linger linger_ms batch_timeout flush_frequency queue_buffering_max_ms", Key: "^batch_wait"},
		{Words: "batch_size batch_num_messages bulk_max_size", Key: "^batch_events"},
		{Words: "timeout request_timeout", Key: "^attempt_timeout"},
		{Words: "format encoding serializer value_serializer", Key: "^envelope"},
		{Words: "security_protocol", Advice: "write the scheme of the addresses, tcp:// or tls://, and sasl"},
		{Words: "ssl tls_config", Key: "tls"},
	}...)
}

// ForeignKeys implements strict.Foreign.
func (a *SASL) ForeignKeys() []strict.ForeignKey { return saslWords("") }

func saslWords(below string) []strict.ForeignKey {
	return []strict.ForeignKey{
		{Words: "sasl_mechanism sasl_mechanisms mechanisms algorithm type", Key: below + "mechanism"},
		{Words: "username sasl_username login", Key: below + "user"},
		{Words: "pass passwd sasl_password secret", Key: below + "password"},
		{Words: "access_token bearer oauth_token bearer_token", Key: below + "token"},
	}
}
