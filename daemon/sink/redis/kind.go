// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"errors"
	"fmt"
	"unicode"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

// ForeignKeys implements strict.Foreign.
func (c *Config) ForeignKeys() []strict.ForeignKey {
	const oneServer = "this kind connects to one server; write the address of the primary as address"
	return append(value.TLSWords("tls."), []strict.ForeignKey{
		{Words: "host hostname server port url uri endpoint socket path addr", Key: "address"},
		{Words: "addresses addrs servers hosts nodes cluster seeds sentinel sentinels master_name", Key: "address", Advice: oneServer},
		{Words: "username login acl_user", Key: "user"},
		{Words: "pass passwd auth requirepass password_file", Key: "password"},
		{Words: "db dbid database_number", Key: "database"},
		{Words: "key topic channel list queue stream_key stream_name subject", Key: "stream"},
		{Words: "field data_field payload_field body_field message_field", Key: "event_field"},
		{Words: "maxlen max_len max_entries stream_max_len limit", Key: "max_length"},
		{Words: "minid ttl expire retention max_stream_age", Key: "max_age"},
		{Words: "wait min_replicas waitaof", Key: "replicas"},
		{Words: "wait_timeout", Key: "replica_timeout"},
		{Words: "headers properties values", Key: "fields"},
		{Words: "ssl tls_config", Key: "tls"},
		{Words: "timeout read_timeout write_timeout dial_timeout connect_timeout", Key: "^attempt_timeout"},
		{Words: "batch_size pipeline pipeline_size", Key: "^batch_events"},
		{Words: "format codec", Key: "^envelope"},
	}...)
}

// Peers implements sink.Peer.
func (c *Config) Peers() []sink.PeerSocket {
	return []sink.PeerSocket{{Key: "address", Path: c.Address.SocketPath(), HostPort: c.Address.HostPort()}}
}

// AttemptRule implements sink.SlowSink: an attempt must not end before the wait for replicas.
func (c *Config) AttemptRule() sink.AttemptRule {
	rule := sink.AttemptRule{Key: "replica_timeout", What: "the time for replicas", Reads: []string{"replicas"}}
	if c.Replicas > 0 {
		rule.Least = c.ReplicaTimeout
	}
	return rule
}

// Templates implements sink.Templater.
func (c *Config) Templates() []sink.Template {
	all := []sink.Template{{Key: "redis.stream", Text: c.Stream, Replace: appendToken, Accept: acceptKey}}
	for i, f := range c.Fields {
		all = append(all, sink.Template{Key: fmt.Sprintf("redis.fields[%d].value", i), Text: f.Value})
	}
	return all
}

// appendToken appends a part of a key. Redis accepts any bytes in keys. Spaces and characters
// that a terminal does not print become _, and so does the empty value, so that keys can be
// typed and patterns of ACLs match.
func appendToken(dst, value []byte) []byte {
	if len(value) == 0 {
		return append(dst, '_')
	}
	return sink.ReplaceRunes(dst, value, "_", func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) })
}

func acceptKey(result []byte) error {
	if len(result) == 0 {
		return errors.New("the key of the stream is empty; write a word")
	}
	return nil
}

// Verify implements sink.Verifier. It reads the secret and the TLS files.
func (c *Config) Verify(event.Encoder) error {
	errs := []error{sink.VerifySecret("redis.password", c.Password, nil)}
	if c.Address.HasScheme(schemeTLS) {
		errs = append(errs, tlsclient.Check(&c.TLS, "redis.tls"))
	}
	return errors.Join(errs...)
}

// New implements sink.Config.
func (c *Config) New(env sink.Env) (sink.Sink, error) { return New(c, env) }
