// SPDX-License-Identifier: Apache-2.0

package value

import (
	"path/filepath"
	"strings"
	"unicode"

	"github.com/genltestd/genltestd/config/strict"
)

var (
	_ strict.Checker   = (*TLS)(nil)
	_ strict.Foreign   = (*TLS)(nil)
	_ strict.Checker   = (*TLSFile)(nil)
	_ strict.Value     = (*TLSFile)(nil)
	_ strict.Described = (*TLSFile)(nil)
)

// TLS are the settings of a client. The files are PEM. Package daemon/sink/tlsclient reads
// them for each connection.
type TLS struct {
	// CA has the trusted certificates; the zero TLSFile means those of the system.
	CA TLSFile `yaml:"ca" path:"true"`
	// Cert and Key are the certificate of the client. Both or neither are configured.
	Cert TLSFile `yaml:"cert" path:"true"`
	Key  TLSFile `yaml:"key" path:"true"`
	// ServerName is the name in the server's certificate; empty means the host of the
	// address.
	ServerName string `yaml:"server_name" default:""`
}

// Check implements strict.Checker.
func (t *TLS) Check(s strict.Section) {
	switch none := (TLSFile{}); {
	case t.Cert != none && t.Key == none:
		s.Errorf("cert", "requires a key; add key")
	case t.Cert == none && t.Key != none:
		s.Errorf("key", "requires a certificate; add cert")
	}
	if t.ServerName != "" && !IsHost(t.ServerName) {
		s.Errorf("server_name", "%s is not a host; write the name or address in the certificate", strict.Quote(t.ServerName))
	}
}

// CheckScheme rejects settings that are not used, because no address has the scheme of TLS. The
// key of the settings in s is tls.
func (t *TLS) CheckScheme(s strict.Section, scheme string, addresses ...Address) {
	if *t != (TLS{}) && !AnyScheme(addresses, scheme) {
		s.Errorf("tls", "has no effect with this address; write an address that begins with %s://, or leave the key out", scheme)
	}
}

// ForeignKeys implements strict.Foreign.
func (t *TLS) ForeignKeys() []strict.ForeignKey { return TLSWords("") }

// TLSWords returns the words of other programs for the keys of TLS. Below is empty for the
// mapping itself, and "tls." for the mapping that contains it.
func TLSWords(below string) []strict.ForeignKey {
	return []strict.ForeignKey{
		{
			Words: "insecure insecure_skip_verify skip_verify tls_skip_verify tls_insecure insecureskipverify " +
				"verify verify_ssl ssl_verify verify_tls skip_tls_verify",
			Key:    below + "ca",
			Advice: "certificates are always verified; write tls: {ca: FILE} to trust a certificate authority of your own",
		},
		{Words: "ca_file cafile ca_cert cacert ca_path root_ca", Key: below + "ca"},
		{Words: "cert_file certfile client_cert certificate", Key: below + "cert"},
		{Words: "key_file keyfile client_key private_key", Key: below + "key"},
		{Words: "servername sni tls_server_name", Key: below + "server_name"},
	}
}

// A TLSFile is a PEM file: an absolute path, or the name of a credential that systemd
// passes to the service. The zero TLSFile is not configured.
type TLSFile struct {
	Credential string `yaml:"credential"`
	File       string `yaml:"file"`
}

// UnmarshalText accepts a path.
func (f *TLSFile) UnmarshalText(text []byte) error {
	*f = TLSFile{File: string(text)}
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (f TLSFile) MarshalText() ([]byte, error) { return []byte(f.File), nil }

// String returns the path.
func (f TLSFile) String() string { return f.File }

// YAML implements strict.Value.
func (f TLSFile) YAML(string) string {
	if f.Credential != "" {
		return "{credential: " + strict.Plain(f.Credential) + "}"
	}
	return strict.Plain(f.File)
}

// Check implements strict.Checker.
func (f *TLSFile) Check(s strict.Section) {
	for key, value := range map[string]string{"credential": f.Credential, "file": f.File} {
		if value == "" && s.Given(key) {
			s.Errorf(key, "is empty; write the place of the PEM file, or leave the key out")
		}
	}
	switch {
	case f.Credential != "" && f.File != "":
		s.Fail("contains a credential and a file; keep one of them")
	case f.Credential != "" && !isCredential(f.Credential):
		s.Errorf("credential", invalidCredential)
	case f.File == "":
	case !filepath.IsAbs(f.File):
		s.Fail("is not the absolute path of a file; begin it with /")
	case strings.ContainsFunc(f.File, unicode.IsControl):
		s.Fail("has a control character; leave it out")
	}
}

// Describe implements strict.Described.
func (f *TLSFile) Describe() strict.Description {
	return strict.Description{Type: "file", Schema: map[string]any{
		"type": []string{"string", "object"},
		"properties": map[string]any{
			"credential": textSchema("The ID of a credential that the service receives: LoadCredential= in the unit."),
			"file":       textSchema("The absolute path of a PEM file."),
		},
		"additionalProperties": false, "maxProperties": 1,
	}}
}
