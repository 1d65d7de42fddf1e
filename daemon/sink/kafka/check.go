// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

// Check implements strict.Checker.
func (c *Config) Check(s strict.Section) {
	value.CheckAddresses(s, c.Addresses, "tcp", schemeTLS)
	c.TLS.CheckScheme(s, schemeTLS, c.Addresses...)
	c.checkHeaders(s)
	if !isPlain(c.ClientID) || c.ClientID == "" || len(c.ClientID) > 249 {
		s.Errorf("client_id", "is not a valid client id; write up to 249 letters, digits, dots, dashes and underscores")
	}
}

// ownHeaders are written for each record.
var ownHeaders = []string{headerID, headerTime, headerContentType}

func (c *Config) checkHeaders(s strict.Section) {
	for i, h := range c.Headers {
		key := fmt.Sprintf("headers[%d].name", i)
		same := func(other Header) bool { return other.Name == h.Name }
		switch {
		case h.Name == "": // another rule reports it
		case strings.ContainsFunc(h.Name, unicode.IsControl) || !utf8.ValidString(h.Name) || len(h.Name) > 249:
			s.Errorf(key, "is not a valid name of a header; write up to 249 characters without control characters")
		case slices.Contains(ownHeaders, h.Name):
			s.Errorf(key, "%s is written for each record; choose another name", h.Name)
		case slices.IndexFunc(c.Headers, same) < i:
			s.Errorf(key, "%s is headers[%d] already; leave one of them out", strict.Quote(h.Name), slices.IndexFunc(c.Headers, same))
		}
	}
}

// CheckAttributes implements sink.AttributeHolder: headers contain the attributes.
func (c *Config) CheckAttributes(s strict.Section) {
	for i, h := range c.Headers {
		if strings.HasPrefix(h.Name, attributePrefix) {
			s.Errorf(fmt.Sprintf("headers[%d].name", i), "%s is written by cloudevents.mode: binary; leave one of them out",
				strict.Quote(h.Name))
		}
	}
}

// Check implements strict.Checker.
func (a *SASL) Check(s strict.Section) {
	switch a.Mechanism {
	case saslPlain, saslScram256, saslScram512:
		a.checkPassword(s)
	case saslOAuth:
		a.checkToken(s)
	case saslNone:
		for key, given := range map[string]bool{"user": a.User != "", "password": !a.Password.IsZero(), "token": !a.Token.IsZero()} {
			if given {
				s.Errorf(key, "requires a mechanism; write mechanism: %s, or another one", saslScram512)
			}
		}
	}
}

func (a *SASL) checkPassword(s strict.Section) {
	switch {
	case a.User == "":
		s.Errorf("mechanism", "%s requires a user and a password; add user and password", a.Mechanism)
	case a.Password.IsZero() && !s.FaultyWithin("password"):
		s.Errorf("user", "requires a password; add password")
	case strings.ContainsFunc(a.User, unicode.IsControl):
		s.Errorf("user", "has a control character; leave it out")
	}
	if !a.Token.IsZero() {
		s.Errorf("token", "is for %s; leave it out, or write mechanism: %s", saslOAuth, saslOAuth)
	}
}

func (a *SASL) checkToken(s strict.Section) {
	if a.Token.IsZero() && !s.FaultyWithin("token") {
		s.Errorf("mechanism", "%s requires a token; add token", saslOAuth)
	}
	if a.User != "" {
		s.Errorf("user", "is not for %s, whose token names the user; leave it out", saslOAuth)
	}
	if !a.Password.IsZero() {
		s.Errorf("password", "is not for %s; leave it out", saslOAuth)
	}
}

// Verify implements sink.Verifier. It reads the secrets and the TLS files.
func (c *Config) Verify(event.Encoder) error {
	errs := []error{
		sink.VerifySecret("kafka.sasl.password", c.SASL.Password, nil), sink.VerifySecret("kafka.sasl.token", c.SASL.Token, nil),
	}
	if c.usesTLS() {
		errs = append(errs, tlsclient.Check(&c.TLS, "kafka.tls"))
	}
	return errors.Join(errs...)
}

func (c *Config) usesTLS() bool { return value.AnyScheme(c.Addresses, schemeTLS) }
