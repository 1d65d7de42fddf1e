// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"errors"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

// Verify implements sink.Verifier. It reads the secrets and the TLS files.
func (c *Config) Verify(event.Encoder) error {
	errs := []error{
		sink.VerifySecret("nats.token", c.Token, nil),
		sink.VerifySecret("nats.password", c.Password, nil),
		sink.VerifySecret("nats.nkey", c.Nkey, func(string) error { _, err := readNkey(c.Nkey); return err }),
	}
	if c.Credentials != (value.TLSFile{}) {
		_, err := readCredentials(c.Credentials)
		errs = append(errs, sink.Fault("nats.credentials", err))
	}
	if c.usesTLS() {
		errs = append(errs, tlsclient.Check(&c.TLS, "nats.tls"))
	}
	return errors.Join(errs...)
}
