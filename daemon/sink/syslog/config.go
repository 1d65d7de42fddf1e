// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"bytes"
	_ "embed" // for the reference
	"errors"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/stream"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

// Kind is the kind of sink that sends to a syslog server.
func Kind() sink.Kind {
	return sink.Kind{
		Name: "syslog", Summary: "sends RFC 5424 messages to a local or remote syslog server",
		Reference: reference, New: func() sink.Config { return new(Config) },
		Words: []strict.VariantWords{
			{Words: "rsyslog rfc5424 rfc3164 remote_syslog syslog_ng gelf"},
		},
	}
}

//go:embed reference.yaml
var reference []byte

// Config is the value of the key syslog.
type Config struct {
	// Address is unixgram:///PATH, unixstream:///PATH, udp://HOST:PORT, tcp://HOST:PORT or
	// tls://HOST:PORT.
	Address value.Address `yaml:"address" default:"unixgram:///dev/log" main:"true" path:"true"`
	// Framing is framingOctets or framingNewline. It separates the messages of a stream.
	Framing string `yaml:"framing" default:"octet_counting" oneof:"octet_counting newline"`
	// MaxMessage limits the length of a message. A longer message is a permanent error.
	MaxMessage value.Size `yaml:"max_message" default:"8KiB" min:"480" max:"1MiB"`
	// TLS is for tls://.
	TLS value.TLS `yaml:"tls"`
	// MaxConnectionAge limits the age of a connection over TCP or TLS; 0 means no limit.
	MaxConnectionAge value.Duration `yaml:"max_connection_age" default:"10m" min:"0" max:"24h"`
}

const (
	framingOctets  = "octet_counting" // the length precedes each message
	framingNewline = "newline"        // a line feed ends each message; line feeds within it are escaped
)

var (
	_ sink.SizeLimiter   = (*Config)(nil)
	_ sink.Config        = (*Config)(nil)
	_ sink.Acceptor      = (*Config)(nil)
	_ sink.Enveloper     = (*Config)(nil)
	_ sink.Peer          = (*Config)(nil)
	_ sink.Verifier      = (*Config)(nil)
	_ strict.Checker     = (*Config)(nil)
	_ strict.Conditional = (*Config)(nil)
	_ strict.Foreign     = (*Config)(nil)
)

// Check implements strict.Checker.
func (y *Config) Check(s strict.Section) {
	if y.Address == "" {
		s.Errorf("address", "is empty; write one, or leave the key out for unixgram:///dev/log")
	}
	y.Address.Check(s, "address", "unixgram", "unixstream", "udp", "tcp", "tls")
	y.TLS.CheckScheme(s, "tls", y.Address)
}

// Ineffective implements strict.Conditional.
func (y *Config) Ineffective() (keys []strict.Ineffective) {
	scheme, _ := y.Address.Split()
	if scheme == "udp" || scheme == "unixgram" {
		keys = append(keys, strict.Ineffective{Key: "framing", Why: "with " + scheme +
			", where each message is a datagram; leave it out, or write an address that begins with tcp://, tls:// or unixstream://"})
	}
	if scheme != "tcp" && scheme != "tls" && scheme != "" {
		keys = append(keys, strict.Ineffective{Key: "max_connection_age", Why: stream.NoConnectionAge(scheme)})
	}
	return keys
}

// ForeignKeys implements strict.Foreign.
func (y *Config) ForeignKeys() []strict.ForeignKey {
	return append(value.TLSWords("tls."),
		strict.ForeignKey{Words: "host server port path url uri endpoint protocol network remote destination socket", Key: "address"},
		strict.ForeignKey{
			Words:  "udp tcp unix unixgram unixstream",
			Advice: `write it as the scheme of "address", like udp://loghost.example.com:514`,
		},
		strict.ForeignKey{Words: "facility", Key: "^rfc5424.facility"},
		strict.ForeignKey{Words: "severity priority level", Key: "^rfc5424.severity"},
		strict.ForeignKey{Words: "tag app_name appname program ident identifier", Key: "^rfc5424.app_name"},
		strict.ForeignKey{Words: "format", Key: "^envelope"}, strict.ForeignKey{Words: "timeout", Key: "^attempt_timeout"})
}

// DefaultEnvelope implements sink.Enveloper.
func (y *Config) DefaultEnvelope() string { return "rfc5424" }

// Accept implements sink.Acceptor.
func (y *Config) Accept(result []byte) error {
	if len(bytes.TrimRight(result, "\r\n")) == 0 {
		return errors.New("the result is empty, which a syslog message cannot be; write a word before the text")
	}
	return nil
}

// Peers implements sink.Peer.
func (y *Config) Peers() []sink.PeerSocket {
	return []sink.PeerSocket{{Key: "address", Path: y.Address.SocketPath(), HostPort: y.Address.HostPort()}}
}

// MaxResult implements sink.SizeLimiter.
func (y *Config) MaxResult() int { return int(y.MaxMessage) }

// New implements sink.Config.
func (y *Config) New(env sink.Env) (sink.Sink, error) { return New(y, env), nil }

// Verify implements sink.Verifier. It reads the TLS files.
func (y *Config) Verify(event.Encoder) error {
	if scheme, _ := y.Address.Split(); scheme != "tls" {
		return nil
	}
	return tlsclient.Check(&y.TLS, "syslog.tls")
}
