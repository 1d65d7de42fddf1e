// SPDX-License-Identifier: Apache-2.0

// Package secret reads passwords, tokens and keys from their places in the configuration. It
// reads them again for each use, so a rotated secret is used at once.
package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/internal/readfile"
)

// maxBytes is the maximum length of a secret. Tokens and URLs are much shorter.
const maxBytes = 64 << 10

// Read returns the secret without trailing line ends. It reads the file each time, which
// costs microseconds, so that it never returns an outdated token. An empty secret, a control
// character and a length of more than 64 KiB are errors. Errors never contain a part of the
// secret.
func Read(s value.Secret) (string, error) {
	text, err := textOf(s)
	if err != nil {
		return "", err
	}
	text = strings.TrimRight(text, "\r\n")
	switch {
	case text == "":
		return "", fmt.Errorf("%s is empty", nameOf(s))
	case strings.HasPrefix(text, "\ufeff"):
		return "", fmt.Errorf("%s begins with a byte order mark; save it without one", nameOf(s))
	case len(text) > maxBytes:
		return "", fmt.Errorf("%s is larger than %d bytes", nameOf(s), maxBytes)
	case strings.ContainsFunc(text, isControl):
		return "", fmt.Errorf("%s contains a control character, such as a line end", nameOf(s))
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

func textOf(s value.Secret) (string, error) {
	switch {
	case s.Credential != "":
		path, err := CredentialPath(s.Credential)
		if err != nil {
			return "", err
		}
		return readFile(path)
	case s.File != "":
		return readFile(s.File)
	case s.Env != "":
		text, ok := os.LookupEnv(s.Env)
		if !ok {
			return "", fmt.Errorf("%s is not set", nameOf(s))
		}
		return text, nil
	}
	text, _ := s.Inline()
	return text, nil
}

// readFile reads at most one byte more than Read accepts.
func readFile(path string) (string, error) {
	text, err := readfile.Prefix(path, maxBytes+1)
	return string(text), err
}

// nameOf returns a name of the secret for errors.
func nameOf(s value.Secret) string {
	switch {
	case s.Credential != "":
		return "credential " + s.Credential
	case s.File != "":
		return "file " + s.File
	case s.Env != "":
		return "environment variable " + s.Env
	}
	return "the value"
}
