// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/internal/readfile"
)

// An access has the credentials of one connection, as they were when an attempt began.
type access struct {
	who     string   // for errors, such as `user "x"`
	secrets []string // all of them; a change needs another connection
	option  nats.Option
}

// equal reports whether the credentials are the same.
func (a *access) equal(b *access) bool { return a.who == b.who && slices.Equal(a.secrets, b.secrets) }

func (a *access) texts() (t redact.Texts) {
	t.Add(a.secrets...)
	return t
}

// access reads the configured credentials. An error names the key.
func (c *Config) access() (a *access, err error) {
	switch {
	case c.Credentials != value.TLSFile{}:
		a, err = readCredentials(c.Credentials)
		err = inKey("credentials", err)
	case !c.Nkey.IsZero():
		a, err = readNkey(c.Nkey)
		err = inKey("nkey", err)
	case !c.Token.IsZero():
		a, err = readToken(c.Token)
		err = inKey("token", err)
	case c.User != "":
		a, err = readPassword(c.User, c.Password)
		err = inKey("password", err)
	default:
		a = &access{who: "a client without credentials", option: func(*nats.Options) error { return nil }}
	}
	return a, err
}

func inKey(key string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

func readToken(s value.Secret) (*access, error) {
	token, err := secret.Read(s)
	return &access{who: "the token", secrets: []string{token}, option: nats.Token(token)}, err
}

func readPassword(user string, s value.Secret) (*access, error) {
	password, err := secret.Read(s)
	return &access{who: fmt.Sprintf("user %q", user), secrets: []string{password}, option: nats.UserInfo(user, password)}, err
}

// errNkey does not repeat the text, which may be a secret.
var errNkey = errors.New("is not the seed of a user; write the line that begins with SU")

func readNkey(s value.Secret) (*access, error) {
	seed, err := secret.Read(s)
	if err != nil {
		return nil, err
	}
	pair, err := nkeys.FromSeed([]byte(seed))
	if err != nil {
		return nil, errNkey
	}
	public, err := pair.PublicKey()
	if err != nil || !nkeys.IsValidPublicUserKey(public) {
		return nil, errNkey
	}
	return &access{who: "the key " + public, secrets: []string{seed}, option: nats.Nkey(public, pair.Sign)}, nil
}

// maxCredentials is the maximum size of a file of credentials.
const maxCredentials = 64 << 10

var errCredentials = errors.New("does not contain a JWT and a seed; write the .creds file of a user")

// readCredentials reads a file with the JWT and the seed of a user.
func readCredentials(f value.TLSFile) (*access, error) {
	path := f.File
	if f.Credential != "" {
		var err error
		if path, err = secret.CredentialPath(f.Credential); err != nil {
			return nil, err
		}
	}
	text, err := readfile.Prefix(path, maxCredentials)
	if err != nil {
		return nil, err
	}
	jwt, err := nkeys.ParseDecoratedJWT(text)
	if err != nil || strings.Count(jwt, ".") != 2 {
		return nil, fmt.Errorf("%s %w", path, errCredentials)
	}
	pair, err := nkeys.ParseDecoratedUserNKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, errCredentials)
	}
	seed, err := pair.Seed()
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, errCredentials)
	}
	user := func() (string, error) { return jwt, nil }
	return &access{who: "the credentials " + path, secrets: []string{jwt, string(seed)}, option: nats.UserJWT(user, pair.Sign)}, nil
}
