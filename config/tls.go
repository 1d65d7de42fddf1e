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
	CA string `yaml:"ca" default:""`
	// Cert and Key are shown to the server; empty means none.
	Cert string `yaml:"cert" default:""`
	Key  string `yaml:"key" default:""`
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
	s.absolute("ca", t.CA)
	s.absolute("cert", t.Cert)
	s.absolute("key", t.Key)
	switch {
	case t.Cert != "" && t.Key == "":
		s.errorf("cert", "has no key beside it; add key")
	case t.Cert == "" && t.Key != "":
		s.errorf("key", "has no certificate beside it; add cert")
	}
	if t.ServerName != "" && !isHost(t.ServerName) {
		s.errorf("server_name", "%s is no host; write the name or address that stands in the certificate", quote(t.ServerName))
	}
}

// absolute notes a fault of what is to be the path of a file, or empty.
func (s section) absolute(key, path string) {
	switch {
	case path == "":
	case !filepath.IsAbs(path):
		s.errorf(key, "is not the absolute path of a file; begin it with /")
	case strings.ContainsFunc(path, unicode.IsControl):
		s.errorf(key, "has a control character; leave it out")
	}
}
