// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	_ "embed" // for the reference
	"strings"
	"time"
	"unicode/utf8"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
)

// Kind is the kind of sink that publishes to an MQTT broker.
func Kind() sink.Kind {
	return sink.Kind{
		Name: "mqtt", Summary: "publishes to an MQTT 5 broker, with acknowledgements (QoS 1), topic aliases and TLS",
		Reference: reference, New: func() sink.Config { return new(Config) },
		Words: []strict.VariantWords{
			{Words: "mqtt5 mqtts mosquitto emqx hivemq vernemq nanomq iot"},
		},
	}
}

//go:embed reference.yaml
var reference []byte

// Config is the value of the key mqtt.
type Config struct {
	// Addresses are brokers of one cluster. The sink uses one at a time.
	Addresses []value.Address `yaml:"addresses" required:"true" example:"mqtts://broker.example.com:8883" path:"true"`
	// Topic is a template.
	Topic string `yaml:"topic" default:"genltestd/{{.Host}}/{{.Family}}/{{.Group}}"`
	// QoS is 1, at least once, or 0, at most once.
	QoS    int  `yaml:"qos" default:"1" min:"0" max:"1" unit:"level of MQTT"`
	Retain bool `yaml:"retain" default:"false"`
	// MessageExpiry is the time after which the broker discards a message that it has not
	// delivered; 0 means never.
	MessageExpiry value.Duration `yaml:"message_expiry" default:"0" min:"0" max:"8760h"`
	// UserProperties are added to each message.
	UserProperties []UserProperty `yaml:"user_properties"`

	// ClientID identifies the sink at the broker; empty means one of the journal and the sink.
	ClientID string `yaml:"client_id" default:""`
	// SessionExpiry is the time for which the broker keeps the session after a connection; 0
	// means that each connection begins a session.
	SessionExpiry value.Duration `yaml:"session_expiry" default:"0" min:"0" max:"8760h"`
	KeepAlive     value.Duration `yaml:"keep_alive" default:"30s" min:"5s" max:"18h"`
	// MaxInFlight limits the messages that are sent and not acknowledged.
	MaxInFlight int `yaml:"max_in_flight" default:"1000" min:"1" max:"30000" unit:"messages"`
	// TopicAliases limits the number of topics that are sent as a number.
	TopicAliases int `yaml:"topic_aliases" default:"64" min:"0" max:"65535" unit:"topics"`

	User     string       `yaml:"user" default:""`
	Password value.Secret `yaml:"password"`
	TLS      value.TLS    `yaml:"tls"`
}

// A UserProperty is a name and a template.
type UserProperty struct {
	Name  string `yaml:"name" required:"true" example:"site" name:"true"`
	Value string `yaml:"value" required:"true" example:"rack-7/{{.Host}}"`
}

const (
	schemePlain = "mqtt"
	schemeTLS   = "mqtts"
)

// maxText is the maximum length of a text in MQTT, in bytes.
const maxText = 65535

// Check implements strict.Checker.
func (c *Config) Check(s strict.Section) {
	value.CheckAddresses(s, c.Addresses, schemePlain, schemeTLS)
	if len(c.Addresses) > 0 {
		c.TLS.CheckScheme(s, schemeTLS, c.Addresses...)
	}
	checkText(s, "client_id", c.ClientID)
	checkText(s, "user", c.User)
	if c.User == "" && !c.Password.IsZero() {
		s.Errorf("password", "requires a user; add user")
	}
	checkSeconds(s, "message_expiry", c.MessageExpiry)
	checkSeconds(s, "session_expiry", c.SessionExpiry)
	checkSeconds(s, "keep_alive", c.KeepAlive)
	c.checkProperties(s)
}

// checkText rejects a text that MQTT cannot carry.
func checkText(s strict.Section, key, text string) {
	switch {
	case len(text) > maxText:
		s.Errorf(key, "has %d bytes, and MQTT has room for %d; write a shorter text", len(text), maxText)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, isForbidden):
		s.Errorf(key, "has a control character, which MQTT does not allow; leave it out")
	}
}

func checkSeconds(s strict.Section, key string, d value.Duration) {
	if time.Duration(d)%time.Second != 0 {
		s.Errorf(key, "%v is not a whole number of seconds; MQTT counts in seconds", d)
	}
}

func (c *Config) checkProperties(s strict.Section) {
	firsts := make(map[string]strict.Section)
	for i, p := range c.UserProperties {
		at := s.At("user_properties", i)
		checkText(at, "name", p.Name)
		if p.Name == propertyID || p.Name == propertyTime {
			at.Errorf("name", "%s is written by the sink; choose another name", strict.Quote(p.Name))
			continue
		}
		at.Unique(firsts, "name", p.Name, "give each property once")
	}
}
