// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

// Check reports options that cannot work, without using the network. Its errors wrap those
// of secret.Source.Check.
func (o Options) Check() error {
	errs := []error{
		o.checkURL(),
		o.checkBatch(),
		checkSecret("bearer", o.Bearer, nil),
		checkSecret("basic.password", o.Password, nil),
		checkSecret("proxy", o.Proxy, func(text string) error { _, err := parseProxy(text); return err }),
		o.TLS.Check("webhook.tls"),
		o.checkResponse(),
	}
	for i, h := range o.Headers {
		errs = append(errs, checkSecret(fmt.Sprintf("headers[%d].value", i), h.Value, nil))
	}
	for i, s := range o.SigningSecrets {
		errs = append(errs, checkSecret(fmt.Sprintf("signing_secrets[%d]", i), s, func(text string) error { _, err := parseKey(text); return err }))
	}
	return errors.Join(errs...)
}

// checkSecret calls parse with the secret, if it can be read.
func checkSecret(key string, s secret.Source, parse func(string) error) error {
	err := s.Check()
	if text, unread := s.Read(); err == nil && unread == nil && parse != nil {
		err = parse(text)
	}
	return optionError(key, err)
}

func optionError(key string, err error) error {
	if err == nil {
		return nil
	}
	return &sink.OptionError{Key: "webhook." + key, Err: err}
}

func (o Options) checkURL() error {
	return checkSecret("url", o.URL, func(text string) error {
		u, err := parseURL(text, "http", "https")
		proxied := o.ProxyFromEnvironment || !o.Proxy.IsZero()
		switch {
		case err != nil:
			return err
		case u.User != nil && (o.User != "" || !o.Bearer.IsZero()):
			return errors.New("has a user in addition to bearer or basic; leave one of them out")
		case u.User != nil && o.writes("Authorization"):
			return errors.New("has a user, and headers has Authorization; leave one of them out")
		case u.Scheme == "http" && !proxied && o.TLS != (tlsclient.Options{}):
			return errors.New("is http, so the keys below tls are not used; write https, or leave tls out")
		}
		return nil
	})
}

// writes reports whether the configured headers include one of this name.
func (o Options) writes(name string) bool {
	return slices.ContainsFunc(o.Headers, func(h Header) bool { return http.CanonicalHeaderKey(h.Name) == name })
}

// checkBatch checks that the encoder supports the form of the body.
func (o Options) checkBatch() error {
	if o.Batch == Array && o.Encoder.BatchContentType() == "" && !o.single() {
		return optionError("batch", errors.New("the envelope does not write JSON, so its events cannot form an array; write lines or none"))
	}
	return nil
}

// single reports whether each event has a request of its own. This includes encoders that
// write a part of the event into headers.
func (o Options) single() bool {
	_, attributes := o.Encoder.(event.Attributer)
	return o.Batch == None || attributes
}

func (o Options) checkResponse() error {
	if o.Response == "" {
		return nil
	}
	_, err := match.CompileResponse(o.Response)
	return optionError("response", err)
}
