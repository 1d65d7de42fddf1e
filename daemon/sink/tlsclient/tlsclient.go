// SPDX-License-Identifier: Apache-2.0

// Package tlsclient creates the TLS settings of the sinks that dial. It reads the files for
// each connection, so the next connection uses a replaced file.
package tlsclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/internal/readfile"
)

// Config returns the settings of one connection. It reads the files.
func Config(t *value.TLS) (*tls.Config, error) {
	f, err := locate(t)
	if err != nil {
		return nil, err
	}
	roots, err := f.roots()
	if err != nil {
		return nil, err
	}
	cert, err := f.certificate()
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: t.ServerName}
	if cert != nil {
		c.Certificates = []tls.Certificate{*cert}
	}
	return c, nil
}

// ConfigFor is Config for a server at host:port, whose host is the name in its certificate unless
// the settings contain another.
func ConfigFor(t *value.TLS, place string) (*tls.Config, error) {
	c, err := Config(t)
	if err != nil {
		return nil, err
	}
	if c.ServerName == "" {
		if c.ServerName, _, err = net.SplitHostPort(place); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Handshake makes TLS over a connection to a server at host:port. The caller closes raw after an
// error.
func Handshake(ctx context.Context, raw net.Conn, t *value.TLS, place string) (net.Conn, error) {
	c, err := ConfigFor(t, place)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	conn := tls.Client(raw, c)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return conn, nil
}

// Check reads every file. It returns OptionErrors, joined. at is the key of the settings, such
// as webhook.tls.
func Check(t *value.TLS, at string) error {
	f, err := locate(t)
	if err != nil {
		return optionError(at, err)
	}
	_, rootsErr := f.roots()
	pair, certErr := f.certificate()
	if pair != nil && pair.Leaf != nil && time.Now().After(pair.Leaf.NotAfter) {
		certErr = &fault{"cert", fmt.Errorf("certificate %s expired on %s; renew it", f.cert, pair.Leaf.NotAfter.Format(time.DateOnly))}
	}
	return errors.Join(optionError(at, rootsErr), optionError(at, certErr))
}

// A fault is the error of one key of the settings.
type fault struct {
	key string
	err error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

func optionError(at string, err error) error {
	var f *fault
	if errors.As(err, &f) {
		return &sink.OptionError{Key: at + "." + f.key, Err: f.err}
	}
	return err
}

// files are the paths of the files; empty if not configured.
type files struct{ ca, cert, key string }

// locate looks up the paths of credentials.
func locate(t *value.TLS) (f files, err error) {
	for _, at := range []struct {
		key  string
		file value.TLSFile
		path *string
	}{{"ca", t.CA, &f.ca}, {"cert", t.Cert, &f.cert}, {"key", t.Key, &f.key}} {
		*at.path = at.file.File
		if at.file.Credential == "" {
			continue
		}
		if *at.path, err = secret.CredentialPath(at.file.Credential); err != nil {
			return files{}, &fault{at.key, err}
		}
	}
	return f, nil
}

// roots returns nil for the authorities of the system.
func (f *files) roots() (*x509.CertPool, error) {
	if f.ca == "" {
		return nil, nil
	}
	text, err := read(f.ca)
	if err != nil {
		return nil, &fault{"ca", err}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, &fault{"ca", fmt.Errorf("%s does not contain a PEM certificate", f.ca)}
	}
	return pool, nil
}

// certificate returns nil if it is not configured.
func (f *files) certificate() (*tls.Certificate, error) {
	if f.cert == "" || f.key == "" {
		return nil, nil
	}
	cert, err := read(f.cert)
	if err != nil {
		return nil, &fault{"cert", fmt.Errorf("certificate: %w", err)}
	}
	key, err := read(f.key)
	if err != nil {
		return nil, &fault{"key", fmt.Errorf("key: %w", err)}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, &fault{"cert", fmt.Errorf("certificate %s with key %s: %w", f.cert, f.key, err)}
	}
	return &pair, nil
}

// maxBytes is the maximum size of a file: four times that of the certificates of all
// authorities of a system.
const maxBytes = 1 << 20

func read(path string) ([]byte, error) {
	text, err := readfile.Prefix(path, maxBytes+1)
	if err == nil && len(text) > maxBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes; keep only the PEM blocks that the connection needs", path, maxBytes)
	}
	return text, err
}
