// SPDX-License-Identifier: Apache-2.0

package tlsclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/readfile"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/daemon/sink"
)


// Options name the files, all PEM. The zero value trusts what the system does and
// shows no certificate.
type Options struct {
	CA         string // certificates to trust in place of the system's
	Cert, Key  string // to show to the server
	ServerName string // expected in the server's certificate, in place of the host dialed

	// Missing says that the path of a file is not known. Its key is ca, cert or key.
	Missing *sink.OptionError
}

// From returns the options of a configuration.
func From(c *value.TLS) Options {
	o := Options{ServerName: c.ServerName}
	for _, f := range []struct {
		key  string
		from value.TLSFile
		to   *string
	}{{"ca", c.CA, &o.CA}, {"cert", c.Cert, &o.Cert}, {"key", c.Key, &o.Key}} {
		*f.to = f.from.File
		if f.from.Credential == "" {
			continue
		}
		var err error
		if *f.to, err = secret.CredentialPath(f.from.Credential); err != nil && o.Missing == nil {
			o.Missing = &sink.OptionError{Key: f.key, Err: err}
		}
	}
	return o
}

// Check reads every file, and says which key cannot work; prefix is that of the
// keys.
func (o Options) Check(prefix string) error {
	if o.Missing != nil {
		return &sink.OptionError{Key: prefix + "." + o.Missing.Key, Err: o.Missing.Err}
	}
	var errs []error
	if _, err := o.roots(); err != nil {
		errs = append(errs, &sink.OptionError{Key: prefix + ".ca", Err: err})
	}
	if _, err := o.certificate(); err != nil {
		key := ".cert"
		if unread := (*keyError)(nil); errors.As(err, &unread) {
			key = ".key"
		}
		errs = append(errs, &sink.OptionError{Key: prefix + key, Err: err})
	}
	return errors.Join(errs...)
}

// Config returns settings for one connection. It reads the files, so that the next
// connection uses a rotated certificate.
func (o Options) Config() (*tls.Config, error) {
	if o.Missing != nil {
		return nil, o.Missing.Err
	}
	roots, err := o.roots()
	if err != nil {
		return nil, err
	}
	cert, err := o.certificate()
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: o.ServerName}
	if cert != nil {
		c.Certificates = []tls.Certificate{*cert}
	}
	return c, nil
}

// roots returns nil for the system's authorities.
func (o Options) roots() (*x509.CertPool, error) {
	if o.CA == "" {
		return nil, nil
	}
	text, err := readfile.Prefix(o.CA, maxBytes)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s does not contain a PEM certificate", o.CA)
	}
	return pool, nil
}

// certificate returns nil if it is not configured.
func (o Options) certificate() (*tls.Certificate, error) {
	if o.Cert == "" {
		return nil, nil
	}
	cert, err := readfile.Prefix(o.Cert, maxBytes)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	key, err := readfile.Prefix(o.Key, maxBytes)
	if err != nil {
		return nil, &keyError{err}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", o.Cert, o.Key, err)
	}
	return &pair, nil
}

// A keyError is the error of a key that cannot be read.
type keyError struct{ err error }

func (e *keyError) Error() string { return "key: " + e.err.Error() }
func (e *keyError) Unwrap() error { return e.err }
