// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"errors"
	"strings"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

// Verify implements sink.Verifier. It reads the secrets and the TLS files.
func (c *Config) Verify(event.Encoder) error {
	errs := []error{
		verifySecret("token", c.Token, func() error { return nil }),
		verifySecret("password", c.Password, func() error { return nil }),
		verifySecret("nkey", c.Nkey, func() error { _, err := readNkey(c.Nkey); return err }),
	}
	if c.Credentials != (value.TLSFile{}) {
		_, err := readCredentials(c.Credentials)
		errs = append(errs, optionError("credentials", err))
	}
	if c.usesTLS() {
		errs = append(errs, tlsclient.Check(&c.TLS, "nats.tls"))
	}
	return errors.Join(errs...)
}

// verifySecret calls parse if the secret can be read.
func verifySecret(key string, s value.Secret, parse func() error) error {
	text, err := secret.Check(s)
	if strings.TrimSpace(text) != "" && err == nil {
		err = parse()
	}
	return optionError(key, err)
}

func optionError(key string, err error) error {
	if err == nil {
		return nil
	}
	return &sink.OptionError{Key: "nats." + key, Err: err}
}
