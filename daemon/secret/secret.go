// SPDX-License-Identifier: Apache-2.0

// Package secret reads passwords, tokens and keys from the sources in the configuration. It
// reads them again for each use, so a rotated secret is used at once.
package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/readfile"
)

// maxBytes is the maximum length of a secret. Tokens and URLs are much shorter.
const maxBytes = 64 << 10

// A Source identifies a secret. The zero Source means that no secret is configured. Printing
// a Source in any format never shows the secret.
type Source struct {
	inline     *string // a pointer, because fmt prints unexported strings in nested structs
	credential string
	file       string
	env        string
}

// Inline returns the Source of a secret that is written in the configuration.
func Inline(value string) Source { return Source{inline: &value} }

// Credential returns the Source of a credential that systemd passes to the service; see
// LoadCredential= in systemd.exec(5).
func Credential(name string) Source { return Source{credential: name} }

// File returns the Source of a secret in a file.
func File(path string) Source { return Source{file: path} }

// Env returns the Source of a secret in an environment variable.
func Env(name string) Source { return Source{env: name} }

// Of returns the Source of a secret of the configuration.
func Of(s value.Secret) Source {
	if text, ok := s.Inline(); ok {
		return Inline(text)
	}
	return Source{credential: s.Credential, file: s.File, env: s.Env}
}

// IsZero reports whether no secret is configured.
func (s Source) IsZero() bool { return s == Source{} }

// Read returns the secret without trailing line ends. It reads the file each time, which
// costs microseconds, so that it never returns an outdated token. An empty secret, a control
// character and a length of more than 64 KiB are errors. Errors never contain a part of the
// secret.
func (s Source) Read() (string, error) {
	text, err := s.text()
	if err != nil {
		return "", err
	}
	text = strings.TrimRight(text, "\r\n")
	switch {
	case text == "":
		return "", fmt.Errorf("%s is empty", s.name())
	case len(text) > maxBytes:
		return "", fmt.Errorf("%s is larger than %d bytes", s.name(), maxBytes)
	case strings.ContainsFunc(text, isControl):
		return "", fmt.Errorf("%s contains a control character, such as a line end", s.name())
	}
	return text, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// credentialsVariable is the environment variable with the directory of the service's
// credentials; see systemd.exec(5).
const credentialsVariable = "CREDENTIALS_DIRECTORY"

// CredentialPath returns the path of a credential that systemd passed to the service. Outside
// of the service the error wraps ErrOutside.
func CredentialPath(name string) (string, error) {
	dir := os.Getenv(credentialsVariable)
	if dir == "" {
		return "", outsideError{fmt.Errorf("credential %[1]s cannot be read outside of the service; "+
			"if this is the service, its unit lacks LoadCredential=%[1]s:PATH", name)}
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("credential %[1]s was not given to the service; its unit lacks LoadCredential=%[1]s:PATH", name)
	}
	return path, nil
}

func (s Source) text() (string, error) {
	switch {
	case s.credential != "":
		path, err := CredentialPath(s.credential)
		if err != nil {
			return "", err
		}
		return readFile(path)
	case s.file != "":
		return readFile(s.file)
	case s.env != "":
		text, ok := os.LookupEnv(s.env)
		if !ok {
			return "", fmt.Errorf("%s is not set", s.name())
		}
		return text, nil
	}
	if s.inline == nil {
		return "", nil
	}
	return *s.inline, nil
}

// readFile reads at most one byte more than Read accepts.
func readFile(path string) (string, error) {
	text, err := readfile.Prefix(path, maxBytes+1)
	return string(text), err
}

// name returns a name of the secret for errors.
func (s Source) name() string {
	switch {
	case s.credential != "":
		return "credential " + s.credential
	case s.file != "":
		return "file " + s.file
	case s.env != "":
		return "environment variable " + s.env
	}
	return "the value"
}

// String implements fmt.Stringer.
func (s Source) String() string {
	if s.IsZero() {
		return ""
	}
	return value.Mask
}

// Format implements fmt.Formatter. No verb shows the secret.
func (s Source) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// MarshalText implements encoding.TextMarshaler.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements slog.LogValuer.
func (s Source) LogValue() slog.Value { return slog.StringValue(s.String()) }
