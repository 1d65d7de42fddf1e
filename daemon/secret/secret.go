// SPDX-License-Identifier: Apache-2.0

// Package secret reads passwords, tokens and keys where the configuration says
// that they are, at the moment they are needed: one that was rotated is used
// from then on.
package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxBytes is more than any token or URL has.
const maxBytes = 64 << 10

// A Source says where a secret is; the zero Source is none at all. However it is
// printed, it does not show the secret.
type Source struct {
	inline     *string // fmt prints what is not exported by itself, but follows no pointer
	credential string
	file       string
	env        string
}

// Inline is a secret that stands in the configuration itself.
func Inline(value string) Source { return Source{inline: &value} }

// Credential is one that systemd hands to the service, see LoadCredential= in
// systemd.exec(5).
func Credential(name string) Source { return Source{credential: name} }

// File is the content of a file.
func File(path string) Source { return Source{file: path} }

// Env is the value of an environment variable.
func Env(name string) Source { return Source{env: name} }

// IsZero reports whether there is no secret.
func (s Source) IsZero() bool { return s == Source{} }

// Read returns the secret without the line's end that editors leave behind it.
// It touches the disk each time; a few microseconds are cheaper than a token
// that is out of date. An empty secret, one with control characters and one of
// more than 64 KiB are errors. No error has a part of the secret.
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
		return "", fmt.Errorf("%s has a control character, such as the end of a line", s.name())
	}
	return text, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// credentialsVariable names the directory of the service's credentials, see
// systemd.exec(5).
const credentialsVariable = "CREDENTIALS_DIRECTORY"

// CredentialPath returns the path of a credential, which systemd gives to the service when
// it starts it. Outside of the service the error wraps ErrOutside.
func CredentialPath(name string) (string, error) {
	dir := os.Getenv(credentialsVariable)
	if dir == "" {
		return "", outsideError{fmt.Errorf("credential %[1]s cannot be read outside of the service; if this is the service, its unit lacks LoadCredential=%[1]s:PATH", name)}
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

// readFile reads up to one byte too many.
func readFile(path string) (string, error) {
	text, err := ReadFile(path, maxBytes+1)
	return string(text), err
}

// ReadFile reads at most limit bytes of a regular file. Anything else at the path is an
// error, and is not waited for.
func ReadFile(path string, limit int64) ([]byte, error) {
	// Opening a FIFO would wait for a writer, without O_NONBLOCK.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// name is for errors.
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

const masked = "<secret>"

// String implements fmt.Stringer.
func (s Source) String() string {
	if s.IsZero() {
		return ""
	}
	return masked
}

// Format implements fmt.Formatter: no verb shows the secret.
func (s Source) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// MarshalText implements encoding.TextMarshaler.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements slog.LogValuer.
func (s Source) LogValue() slog.Value { return slog.StringValue(s.String()) }
