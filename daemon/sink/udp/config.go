// SPDX-License-Identifier: Apache-2.0

package udp

import (
	_ "embed" // for the reference

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
)

// Kind is the kind of sink that sends UDP datagrams.
func Kind() sink.Kind {
	return sink.Kind{
		Name: "udp", Summary: "sends each event as one UDP datagram, without confirmation",
		Reference: reference, New: func() sink.Config { return new(Config) },
		Words: []strict.VariantWords{
			{Words: "datagram dgram udp_socket"},
		},
	}
}

//go:embed reference.yaml
var reference []byte

// Config is the value of the key udp.
type Config struct {
	// Address is udp://HOST:PORT.
	Address value.Address `yaml:"address" required:"true" example:"udp://collector.example.com:5140" path:"true"`
	// MaxMessage limits the size of a datagram. A larger event is a permanent error.
	MaxMessage value.Size `yaml:"max_message" default:"8KiB" min:"512" max:"65507"`
}

var (
	_ sink.SizeLimiter = (*Config)(nil)
	_ sink.Config      = (*Config)(nil)
	_ strict.Checker   = (*Config)(nil)
	_ strict.Foreign   = (*Config)(nil)
)

// Check implements strict.Checker.
func (c *Config) Check(s strict.Section) { c.Address.Check(s, "address", "udp") }

// ForeignKeys implements strict.Foreign.
func (c *Config) ForeignKeys() []strict.ForeignKey {
	return []strict.ForeignKey{
		{Words: "host server port url uri endpoint remote destination", Key: "address"},
		{Words: "max_size mtu max_packet max_bytes", Key: "max_message"},
		{Words: "format", Key: "^envelope"},
		{Words: "timeout", Key: "^attempt_timeout"},
	}
}

// MaxResult implements sink.SizeLimiter.
func (c *Config) MaxResult() int { return int(c.MaxMessage) }

// New implements sink.Config.
func (c *Config) New(env sink.Env) (sink.Sink, error) { return newSink(c, env.Encoder), nil }
