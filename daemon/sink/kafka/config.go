// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	_ "embed" // for the reference

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
)

// Kind is the kind of sink that produces to topics of Kafka.
func Kind() sink.Kind {
	return sink.Kind{
		Name: "kafka", Summary: "produces to Kafka topics, in order per key and without duplicates while the daemon runs",
		Reference: reference, New: func() sink.Config { return new(Config) },
		Words: []strict.VariantWords{{Words: "kafka_producer redpanda msk confluent event_hubs eventhubs warpstream automq"}},
	}
}

//go:embed reference.yaml
var reference []byte

// Config is the value of the key kafka.
type Config struct {
	// Addresses are tcp://HOST:PORT or tls://HOST:PORT, brokers of one cluster, with one scheme.
	Addresses []value.Address `yaml:"addresses" required:"true" example:"tls://kafka.example.com:9093" path:"true"`
	// Topic and Key are templates over the fields of events.
	Topic string `yaml:"topic" default:"genltestd"`
	Key   string `yaml:"key" default:"{{.Host}}"`
	// Headers are more headers of each record.
	Headers     []Header `yaml:"headers"`
	Compression string   `yaml:"compression" default:"none" oneof:"none gzip snappy lz4 zstd"`

	SASL     SASL      `yaml:"sasl"`
	TLS      value.TLS `yaml:"tls"`
	ClientID string    `yaml:"client_id" default:"genltestd" name:"true"`

	// MaxMessage limits a record and a batch of records.
	MaxMessage value.Size `yaml:"max_message" default:"1MB" min:"1kB" max:"100MB"`
	// CreateTopic lets the brokers create a topic that does not exist.
	CreateTopic bool `yaml:"create_topic" default:"false"`
}

// A Header is one header of each record.
type Header struct {
	Name  string `yaml:"name" required:"true" example:"site" name:"true"`
	Value string `yaml:"value" required:"true" example:"'{{.Labels.site}}'"`
}

// SASL are the credentials.
type SASL struct {
	Mechanism string       `yaml:"mechanism" default:"none" oneof:"none PLAIN SCRAM-SHA-256 SCRAM-SHA-512 OAUTHBEARER"`
	User      string       `yaml:"user" default:""`
	Password  value.Secret `yaml:"password"`
	Token     value.Secret `yaml:"token"`
}

// The words of SASL.Mechanism.
const (
	saslNone     = "none"
	saslPlain    = "PLAIN"
	saslScram256 = "SCRAM-SHA-256"
	saslScram512 = "SCRAM-SHA-512"
	saslOAuth    = "OAUTHBEARER"
)

const schemeTLS = "tls"

var (
	_ sink.Config          = (*Config)(nil)
	_ sink.AttributeHolder = (*Config)(nil)
	_ sink.Batcher         = (*Config)(nil)
	_ sink.Peer            = (*Config)(nil)
	_ sink.SizeLimiter     = (*Config)(nil)
	_ sink.Templater       = (*Config)(nil)
	_ sink.Verifier        = (*Config)(nil)
	_ strict.Checker       = (*Config)(nil)
	_ strict.Foreign       = (*Config)(nil)
	_ strict.Checker       = (*SASL)(nil)
	_ strict.Foreign       = (*SASL)(nil)
)

// New implements sink.Config.
func (c *Config) New(env sink.Env) (sink.Sink, error) { return New(c, env) }

// DefaultBatchEvents implements sink.Batcher: each attempt waits for the brokers at its end.
func (c *Config) DefaultBatchEvents() int { return 5000 }

// MaxResult implements sink.SizeLimiter.
func (c *Config) MaxResult() int { return int(c.MaxMessage) }

// Peers implements sink.Peer.
func (c *Config) Peers() []sink.PeerSocket { return sink.TCPPeers(c.Addresses) }
