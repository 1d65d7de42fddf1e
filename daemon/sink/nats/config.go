// SPDX-License-Identifier: Apache-2.0

package nats

import (
	_ "embed" // for the reference

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
)

// Kind is the kind of sink that publishes to NATS.
func Kind() sink.Kind {
	return sink.Kind{
		Name: "nats", Summary: "publishes to NATS JetStream, exactly once and in order, or to plain NATS",
		Reference: reference, New: func() sink.Config { return new(Config) },
		Words: []strict.VariantWords{{Words: "jetstream nats_jetstream nats_core stan natsio"}},
	}
}

//go:embed reference.yaml
var reference []byte

// Config is the value of the key nats.
type Config struct {
	// Addresses are nats://HOST:PORT or tls://HOST:PORT, servers of one cluster.
	Addresses []value.Address `yaml:"addresses" required:"true" example:"tls://nats.example.com:4222" path:"true"`
	// Mode is modeJetStream or modeCore.
	Mode string `yaml:"mode" default:"jetstream" oneof:"jetstream core"`
	// Subject is a template over the fields of events.
	Subject string `yaml:"subject" default:"genltestd.{{.Host}}.{{.Family}}.{{.Group}}"`
	// Headers are more headers of each message.
	Headers []Header `yaml:"headers"`
	// Stream is created if no stream captures the subject; without a name it is not.
	Stream Stream `yaml:"stream"`

	// Credentials is a .creds file, Nkey a seed. At most one way to authenticate is configured.
	Credentials value.TLSFile `yaml:"credentials" path:"true"`
	Nkey        value.Secret  `yaml:"nkey"`
	Token       value.Secret  `yaml:"token"`
	User        string        `yaml:"user" default:""`
	Password    value.Secret  `yaml:"password"`

	TLS value.TLS `yaml:"tls"`
	// TLSFirst begins with the TLS handshake: the option handshake_first of the server.
	TLSFirst bool `yaml:"tls_first" default:"false"`
	// InboxPrefix is the beginning of the subjects on which the server answers.
	InboxPrefix string `yaml:"inbox_prefix" default:"_INBOX" name:"true"`
	// MaxInFlight limits the messages that are sent and not yet acknowledged.
	MaxInFlight int `yaml:"max_in_flight" default:"1000" min:"1" max:"65535" unit:"messages"`
}

// The words of Config.Mode.
const (
	modeJetStream = "jetstream" // a stream stores each event, and acknowledges it
	modeCore      = "core"      // plain NATS, at most once: only connected subscribers receive an event
)

// A Header is one header of each message.
type Header struct {
	Name  string `yaml:"name" required:"true" example:"Site" name:"true"`
	Value string `yaml:"value" required:"true" example:"'{{.Labels.site}}'"`
}

// A Stream has the settings of a stream that the sink creates. It never changes a stream that
// exists.
type Stream struct {
	Name string `yaml:"name" default:"" name:"true"`
	// Subjects are those of the stream; empty means the fixed beginning of the template.
	Subjects   []string       `yaml:"subjects"`
	Replicas   int            `yaml:"replicas" default:"1" min:"1" max:"5" unit:"servers"`
	Storage    string         `yaml:"storage" default:"file" oneof:"file memory"`
	MaxBytes   value.Size     `yaml:"max_bytes" default:"0" min:"0"`
	MaxAge     value.Duration `yaml:"max_age" default:"0" min:"0" max:"87600h"`
	Duplicates value.Duration `yaml:"duplicates" default:"10m" min:"100ms" max:"87600h"`
	Discard    string         `yaml:"discard" default:"new" oneof:"new old"`
}

var (
	_ sink.Config          = (*Config)(nil)
	_ sink.AttributeHolder = (*Config)(nil)
	_ sink.Batcher         = (*Config)(nil)
	_ sink.Peer            = (*Config)(nil)
	_ sink.Templater       = (*Config)(nil)
	_ sink.Verifier        = (*Config)(nil)
	_ strict.Checker       = (*Config)(nil)
	_ strict.Conditional   = (*Config)(nil)
	_ strict.Foreign       = (*Config)(nil)
	_ strict.Conditional   = (*Stream)(nil)
	_ strict.Foreign       = (*Stream)(nil)
)

// New implements sink.Config.
func (c *Config) New(env sink.Env) (sink.Sink, error) { return New(c, env) }

// DefaultBatchEvents implements sink.Batcher: each attempt waits once for the server.
func (c *Config) DefaultBatchEvents() int { return 1000 }

// Peers implements sink.Peer.
func (c *Config) Peers() []sink.PeerSocket { return sink.TCPPeers(c.Addresses) }
