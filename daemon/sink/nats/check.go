// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
)

const (
	schemePlain = "nats"
	schemeTLS   = "tls"
)

// Check implements strict.Checker.
func (c *Config) Check(s strict.Section) {
	value.CheckAddresses(s, c.Addresses, schemePlain, schemeTLS)
	if len(c.Addresses) > 0 && s.Read("addresses") {
		c.TLS.CheckScheme(s, schemeTLS, c.Addresses...)
	}
	c.checkAuthentication(s)
	c.checkHeaders(s)
	if prefix := c.InboxPrefix; !inboxPrefix.MatchString(prefix) {
		s.Errorf("inbox_prefix", "%s is not a valid beginning of a subject; write words separated by dots, like _INBOX.genltestd",
			strict.Quote(prefix))
	}
	if c.Mode == modeJetStream && s.Read("stream") {
		c.checkStream(s)
	}
}

var inboxPrefix = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

func (c *Config) usesTLS() bool { return value.AnyScheme(c.Addresses, schemeTLS) }

// checkAuthentication accepts at most one way to authenticate.
func (c *Config) checkAuthentication(s strict.Section) {
	ways := c.authentication()
	if len(ways) > 1 {
		s.Errorf(ways[1], "%s authenticates too; leave one of them out", ways[0])
	}
	switch {
	case c.User == "" && !c.Password.IsZero():
		s.Errorf("password", "requires a user; add user")
	case c.User != "" && c.Password.IsZero():
		s.Errorf("user", "requires a password; add password")
	}
}

// authentication returns the keys that authenticate.
func (c *Config) authentication() (keys []string) {
	for _, way := range []struct {
		key   string
		given bool
	}{
		{"credentials", c.Credentials != value.TLSFile{}},
		{"nkey", !c.Nkey.IsZero()},
		{"token", !c.Token.IsZero()},
		{"user", c.User != ""},
	} {
		if way.given {
			keys = append(keys, way.key)
		}
	}
	return keys
}

func (c *Config) checkHeaders(s strict.Section) {
	first := make(map[string]int)
	for i, h := range c.Headers {
		key := fmt.Sprintf("headers[%d].name", i)
		lower := strings.ToLower(h.Name)
		j, twice := first[lower]
		switch {
		case h.Name == "":
		case !value.IsHeaderName(h.Name):
			s.Errorf(key, "is not a valid name of a header; write letters, digits and dashes, like Site")
		case strings.HasPrefix(lower, "nats-"):
			s.Errorf(key, "%s begins with Nats-, which is an instruction to the server; choose another name", h.Name)
		case lower == "content-type":
			s.Errorf(key, "Content-Type is written by the envelope; leave it out")
		case twice:
			s.Errorf(key, "%s is headers[%d] already; leave one of them out", h.Name, j)
		default:
			first[lower] = i
		}
	}
}

// CheckAttributes implements sink.AttributeHolder: headers contain the attributes.
func (c *Config) CheckAttributes(s strict.Section) {
	for i, h := range c.Headers {
		if strings.HasPrefix(strings.ToLower(h.Name), "ce-") {
			s.Errorf(fmt.Sprintf("headers[%d].name", i), "%s is written by cloudevents.mode: binary; leave one of them out", h.Name)
		}
	}
}

// Ineffective implements strict.Conditional.
func (c *Config) Ineffective() (keys []strict.Ineffective) {
	if c.Mode == modeCore {
		const why = "with mode core, which does not store events; leave it out, or write mode: jetstream"
		keys = append(keys, strict.Ineffective{Key: "stream", Why: why}, strict.Ineffective{Key: "max_in_flight", Why: why})
	}
	if !c.usesTLS() {
		keys = append(keys, strict.Ineffective{
			Key: "tls_first", Why: "with these addresses; leave it out, or write addresses that begin with tls://",
		})
	}
	return keys
}
