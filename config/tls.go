// SPDX-License-Identifier: Apache-2.0

package config

import (
	"path/filepath"
	"strings"
	"unicode"
)

var _ checker = (*TLS)(nil)

// TLS is about connections that a sink makes. The files are PEM; one that was
// replaced counts from the next connection on.
type TLS struct {
	// CA has the certificates to trust; empty means those of the system.
	CA TLSFile `yaml:"ca"`
	// Cert and Key are shown to the server; empty means none.
	Cert TLSFile `yaml:"cert"`
	Key  TLSFile `yaml:"key"`
	// ServerName is expected in the server's certificate; empty means the host that
	// was asked for.
	ServerName string `yaml:"server_name" default:""`
}

// TLS returns the TLS settings of the sink, nil when its kind has none.
func (s *Sink) TLS() *TLS {
	switch {
	case s.Webhook != nil:
		return &s.Webhook.TLS
	case s.Socket != nil:
		return &s.Socket.TLS
	case s.Syslog != nil:
		return &s.Syslog.TLS
	}
	return nil
}

func (t *TLS) check(s section) {
	switch none := (TLSFile{}); {
	case t.Cert != none && t.Key == none:
		s.errorf("cert", "has no key beside it; add key")
	case t.Cert == none && t.Key != none:
		s.errorf("key", "has no certificate beside it; add cert")
	}
	if t.ServerName != "" && !isHost(t.ServerName) {
		s.errorf("server_name", "%s is no host; write the name or address that stands in the certificate", quote(t.ServerName))
	}
}

// absolute notes a fault of what is to be the path of a file, or empty.

// A TLSFile is a PEM file: an absolute path, or the name of a credential that systemd
// hands to the service. The zero TLSFile is none.
type TLSFile struct {
	Credential string `yaml:"credential"`
	File       string `yaml:"file"`
}

// UnmarshalText reads a path.
func (f *TLSFile) UnmarshalText(text []byte) error {
	*f = TLSFile{File: string(text)}
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (f TLSFile) MarshalText() ([]byte, error) { return []byte(f.File), nil }

func (f TLSFile) String() string { return f.File }

var _ checker = (*TLSFile)(nil)

func (f *TLSFile) check(s section) {
	for key, value := range map[string]string{"credential": f.Credential, "file": f.File} {
		if value == "" && s.given(key) {
			s.errorf(key, "is empty; say where the PEM file is, or leave the key out")
		}
	}
	switch {
	case f.Credential != "" && f.File != "":
		s.fail(s.values[s.path], s.path, "names a credential and a file; leave one of them out")
	case f.Credential != "" && !credentialName.MatchString(f.Credential):
		s.errorf("credential", "is not a valid name of a credential; write the ID that LoadCredential= in the unit has, of letters, digits, _, . and -")
	case f.File == "":
	case !filepath.IsAbs(f.File):
		s.fail(s.values[s.path], s.path, "is not the absolute path of a file; begin it with /")
	case strings.ContainsFunc(f.File, unicode.IsControl):
		s.fail(s.values[s.path], s.path, "has a control character; leave it out")
	}
}
