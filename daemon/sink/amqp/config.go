// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	_ "embed" // for the reference
	"fmt"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
)

// Kind is the kind of sink that publishes to an AMQP 0-9-1 broker.
func Kind() sink.Kind {
	return sink.Kind{
		Name: "amqp", Summary: "publishes persistent messages to RabbitMQ, with publisher confirms",
		Reference: reference, New: func() sink.Config { return new(Config) },
		Words: []strict.VariantWords{
			{Words: "rabbitmq rabbit amqp091 amqp_0_9_1 amqps lavinmq"},
		},
	}
}

//go:embed reference.yaml
var reference []byte

// Config is the value of the key amqp.
type Config struct {
	// Addresses are the nodes of one broker, amqp://HOST:PORT or amqps://HOST:PORT.
	Addresses []value.Address `yaml:"addresses" required:"true" example:"amqps://rabbit.example.com:5671" path:"true"`
	VHost     string          `yaml:"vhost" default:"/"`
	// User and Password are for mechanismPlain; empty means guest, as in every client of
	// RabbitMQ, which accepts it only from the same machine.
	User     string       `yaml:"user" default:""`
	Password value.Secret `yaml:"password"`
	// Mechanism is mechanismPlain or mechanismExternal.
	Mechanism string `yaml:"mechanism" default:"plain" oneof:"plain external"`
	// TLS is for amqps://.
	TLS value.TLS `yaml:"tls"`

	// Exchange must exist; empty means the default exchange, where the routing key is the name
	// of a queue.
	Exchange   string `yaml:"exchange" default:"amq.topic"`
	RoutingKey string `yaml:"routing_key" default:"genltestd.{{.Host}}.{{.Family}}.{{.Group}}"`
	// Returned is returnedRetry, returnedPermanent or returnedDrop.
	Returned string `yaml:"returned" default:"retry" oneof:"retry permanent drop"`

	// Persistent makes the broker write the messages to disk before it confirms them.
	Persistent bool `yaml:"persistent" default:"true"`
	// Expiration limits the time of a message in a queue; 0 means no limit.
	Expiration value.Duration `yaml:"expiration" default:"0" min:"0" max:"8760h"`
	Priority   int            `yaml:"priority" default:"0" min:"0" max:"255" unit:"levels"`
	Type       string         `yaml:"type" default:"{{.Kind}}"`
	AppID      string         `yaml:"app_id" default:"genltestd"`
	Headers    []Header       `yaml:"headers"`

	// MaxInFlight limits the messages that are not yet confirmed.
	MaxInFlight int `yaml:"max_in_flight" default:"1000" min:"1" max:"65535" unit:"messages"`
	// Heartbeat is the interval in which each side must send something; the broker may choose
	// a shorter one.
	Heartbeat value.Duration `yaml:"heartbeat" default:"10s" min:"1s" max:"10m"`
	// ConnectionName is shown by the broker; empty means genltestd/ and the name of the sink.
	ConnectionName string `yaml:"connection_name" default:""`
}

const (
	schemePlain = "amqp"
	schemeTLS   = "amqps"

	mechanismPlain    = "plain"    // user and password
	mechanismExternal = "external" // the client certificate

	returnedRetry     = "retry"     // until a queue is bound
	returnedPermanent = "permanent" // the event becomes a dead letter
	returnedDrop      = "drop"      // the broker drops a message without a queue, and confirms it
)

// A Header is a header of each message.
type Header struct {
	Name  string `yaml:"name" required:"true" example:"site" name:"true"`
	Value string `yaml:"value" required:"true" example:"'{{.Labels.site}}'"`
}

// maxShort is the length of a short string of AMQP 0-9-1.
const maxShort = 255

// Check implements strict.Checker.
func (c *Config) Check(s strict.Section) {
	value.CheckAddresses(s, c.Addresses, schemePlain, schemeTLS)
	if len(c.Addresses) > 0 {
		c.TLS.CheckScheme(s, schemeTLS, c.Addresses...)
	}
	c.checkAccess(s)
	for _, text := range []struct{ key, value string }{
		{"vhost", c.VHost}, {"user", c.User}, {"exchange", c.Exchange}, {"app_id", c.AppID}, {"connection_name", c.ConnectionName},
	} {
		checkShort(s, text.key, text.value)
	}
	if c.VHost == "" {
		s.Errorf("vhost", "is empty; write the name of a virtual host, or leave the key out for /")
	}
	c.checkHeaders(s)
}

func (c *Config) checkAccess(s strict.Section) {
	if !s.Read("mechanism", "password", "user") || s.FaultyWithin("password") || s.HasUnknownKey() {
		return
	}
	switch given := c.User != "" || !c.Password.IsZero(); {
	case c.Mechanism == mechanismExternal && given:
		s.Errorf("mechanism", "external uses the client certificate; leave user and password out")
	case c.Mechanism == mechanismExternal && c.TLS.Cert == value.TLSFile{}:
		s.Errorf("mechanism", "external requires a client certificate; write it below tls")
	case c.User == "" && !c.Password.IsZero():
		s.Errorf("password", "requires a user; add user")
	case c.User != "" && c.Password.IsZero():
		s.Errorf("user", "requires a password; add password, such as {credential: amqp-password}")
	}
}

func checkShort(s strict.Section, key, text string) {
	switch {
	case len(text) > maxShort:
		s.Errorf(key, "has %d bytes; AMQP allows %d", len(text), maxShort)
	case hasControl(text):
		s.Errorf(key, "has a control character; leave it out")
	}
}

func hasControl(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func (c *Config) checkHeaders(s strict.Section) {
	firsts := make(map[string]strict.Section)
	for i, h := range c.Headers {
		key := fmt.Sprintf("headers[%d].name", i)
		s.At("headers", i).Unique(firsts, "name", h.Name, "give each header once")
		checkShort(s, key, h.Name)
		if h.Name == "CC" || h.Name == "BCC" {
			s.Errorf(key, "%s contains more routing keys for RabbitMQ; choose another name", h.Name)
		}
	}
}
