// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"cmp"
	"errors"
	"fmt"
	"net"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

// Verify implements sink.Verifier. Its errors wrap those of sink.VerifySecret.
func (w *Config) Verify(encoder event.Encoder) error {
	errs := []error{
		w.verifyURL(),
		w.verifyBatch(encoder),
		sink.VerifySecret("webhook.bearer", w.Bearer, nil),
		sink.VerifySecret("webhook.basic.password", w.Basic.Password, nil),
		w.verifyProxy(),
		tlsclient.Check(&w.TLS, "webhook.tls"),
		w.verifyResponse(),
	}
	for i, h := range w.Headers {
		errs = append(errs, sink.VerifySecret(fmt.Sprintf("webhook.headers[%d].value", i), h.Value, nil))
	}
	for i, s := range w.SigningSecrets {
		isKey := func(text string) error { _, err := parseKey(text); return err }
		errs = append(errs, sink.VerifySecret(fmt.Sprintf("webhook.signing_secrets[%d]", i), s, isKey))
	}
	return errors.Join(errs...)
}

func (w *Config) verifyProxy() error {
	if w.Proxy.IsWord(proxyEnvironment) {
		return nil
	}
	return sink.VerifySecret("webhook.proxy", w.Proxy, func(text string) error { _, err := parseProxy(text); return err })
}

func (w *Config) verifyURL() error {
	return sink.VerifySecret("webhook.url", w.URL, func(text string) error {
		u, err := httpclient.ParseURL(text, "http", "https")
		switch {
		case err != nil:
			return err
		case u.User != nil && (w.Basic.User != "" || !w.Bearer.IsZero()):
			return errors.New("has a user in addition to bearer or basic; leave one of them out")
		case u.User != nil && httpclient.HasHeader(w.Headers, "Authorization"):
			return errors.New("has a user, and headers has Authorization; leave one of them out")
		case u.Scheme == "http" && w.Proxy.IsZero() && w.TLS != (value.TLS{}):
			return errors.New("is http, so the keys below tls are not used; write https, or leave tls out")
		}
		return nil
	})
}

// verifyBatch checks that the encoder supports the form of the body.
func (w *Config) verifyBatch(encoder event.Encoder) error {
	if w.Batch == batchArray && encoder.BatchContentType() == "" && !w.single(encoder) {
		return sink.Fault("webhook.batch", errors.New("the envelope does not write JSON, so its events cannot form an array; "+
			"write lines or "+batchNone))
	}
	return nil
}

// single reports whether each event has a request of its own. This includes encoders that
// write a part of the event into headers.
func (w *Config) single(encoder event.Encoder) bool {
	_, attributes := encoder.(event.Attributer)
	return w.Batch == batchNone || attributes
}

func (w *Config) verifyResponse() error {
	if w.Response == "" {
		return nil
	}
	_, err := match.CompileResponse(w.Response)
	var placed *match.PositionError
	if errors.As(err, &placed) {
		return &sink.OptionError{Key: "webhook.response", Err: errors.New(placed.Text), Line: placed.Line, Column: placed.Column}
	}
	return sink.Fault("webhook.response", err)
}

// Peers implements sink.Peer. The place of a URL that is not in the configuration is not
// known.
func (w *Config) Peers() []sink.PeerSocket {
	text, _ := w.URL.Inline()
	u, err := httpclient.ParseURL(text, "http", "https")
	if err != nil {
		return nil
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	return []sink.PeerSocket{{Key: "url", HostPort: net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))}}
}
