// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

// An access is the secrets and the TLS files of one attempt, as they were when it began.
type access struct {
	password, token string
	files           tlsclient.Version
}

// access reads the secrets. An error names the secret that cannot be read.
func (c *Config) access() (*access, error) {
	a := &access{files: tlsclient.VersionOf(&c.TLS)}
	if !c.SASL.Password.IsZero() {
		password, err := secret.Read(c.SASL.Password)
		if err != nil {
			return nil, fmt.Errorf("sasl.password: %w", err)
		}
		a.password = password
	}
	if !c.SASL.Token.IsZero() {
		token, err := secret.Read(c.SASL.Token)
		if err != nil {
			return nil, fmt.Errorf("sasl.token: %w", err)
		}
		a.token = token
	}
	return a, nil
}

// texts returns the secrets for a Mask.
func (a *access) texts() (t redact.Texts) {
	t.Add(a.password, a.token)
	return t
}

// equal reports whether connections of a can remain in use.
func (a *access) equal(b *access) bool {
	return a.password == b.password && a.token == b.token && a.files.Equal(b.files)
}

// A holder has the access that connections are authenticated with. The client asks for it
// whenever it authenticates a connection.
type holder struct{ current atomic.Pointer[access] }

var errNoAccess = errors.New("the secrets are not read yet")

func (h *holder) get() (*access, error) {
	if a := h.current.Load(); a != nil {
		return a, nil
	}
	return nil, errNoAccess
}

// mechanism returns nil without authentication.
func (h *holder) mechanism(c *SASL) sasl.Mechanism {
	password := func(context.Context) (scram.Auth, error) {
		a, err := h.get()
		if err != nil {
			return scram.Auth{}, err
		}
		return scram.Auth{User: c.User, Pass: a.password}, nil
	}
	switch c.Mechanism {
	case saslPlain:
		return plain.Plain(func(ctx context.Context) (plain.Auth, error) {
			a, err := password(ctx)
			return plain.Auth{User: a.User, Pass: a.Pass}, err
		})
	case saslScram256:
		return scram.Sha256(password)
	case saslScram512:
		return scram.Sha512(password)
	case saslOAuth:
		return oauth.Oauth(h.token)
	}
	return nil
}

func (h *holder) token(context.Context) (oauth.Auth, error) {
	a, err := h.get()
	if err != nil {
		return oauth.Auth{}, err
	}
	return oauth.Auth{Token: a.token}, nil
}
