// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
)

// ForeignKeys implements strict.Foreign.
func (c *Config) ForeignKeys() []strict.ForeignKey {
	return append(value.TLSWords("tls."), []strict.ForeignKey{
		{Words: "address url urls uri server servers host hosts endpoint endpoints broker brokers", Key: "addresses"},
		{Words: "topic channel subjects", Key: "subject"},
		{Words: "jetstream core", Key: "mode", Advice: "write mode: jetstream, or mode: core for plain NATS"},
		{Words: "creds creds_file credentials_file user_credentials jwt jwt_file", Key: "credentials"},
		{Words: "nkey_seed nkey_file seed seed_file", Key: "nkey"},
		{Words: "auth_token token_file", Key: "token"},
		{Words: "username login", Key: "user"},
		{Words: "pass passwd password_file", Key: "password"},
		{Words: "max_pending max_outstanding publish_async_max_pending pending inflight in_flight window", Key: "max_in_flight"},
		{Words: "inbox custom_inbox_prefix", Key: "inbox_prefix"},
		{Words: "handshake_first tls_handshake_first", Key: "tls_first"},
		{Words: "ssl tls_config", Key: "tls"},
		{Words: "stream_name create_stream", Key: "stream.name"},
		{Words: "dedup dedup_window duplicate_window", Key: "stream.duplicates"},
		{Words: "format encoding", Key: "^envelope"},
		{Words: "timeout ack_wait ack_timeout connect_timeout request_timeout", Key: "^attempt_timeout"},
		{Words: "batch_size max_batch", Key: "^batch_events"},
		{
			Words: "retries max_retries retry_attempts max_reconnects max_reconnect", Key: "^retry_max",
			Advice: "events are sent until the server accepts them; retry_max, next to nats, is the longest pause between attempts",
		},
		{Words: "reconnect_wait retry_wait reconnect_time_wait", Key: "^retry_min"},
		{Words: "message_id msg_id id", Advice: "the id of the event is always the header Nats-Msg-Id"},
	}...)
}

// ForeignKeys implements strict.Foreign.
func (*Stream) ForeignKeys() []strict.ForeignKey {
	return []strict.ForeignKey{
		{Words: "num_replicas replication", Key: "replicas"},
		{Words: "subject", Key: "subjects"},
		{Words: "size max_size bytes", Key: "max_bytes"},
		{Words: "age retention ttl", Key: "max_age"},
		{Words: "duplicate_window dedup dedup_window duplicates_window", Key: "duplicates"},
		{Words: "discard_policy overflow", Key: "discard"},
		{Words: "storage_type", Key: "storage"},
	}
}
