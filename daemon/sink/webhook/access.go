// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
)

// An access is the URL and the credentials of one attempt, as the secrets were when it
// began.
type access struct {
	url     *url.URL // without user and password
	proxy   *url.URL // nil: no proxy
	header  http.Header
	keys    []signingKey
	secrets redact.Texts
}

// access reads every secret. An error names the secret that cannot be read.
func (w *Config) access() (*access, error) {
	a := w.newAccess()
	for _, read := range w.readers() {
		if err := read(a); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// readable returns those secrets that can be read.
func (w *Config) readable() redact.Texts {
	a := w.newAccess()
	for _, read := range w.readers() {
		_ = read(a) // access reports it
	}
	return a.secrets
}

func (w *Config) newAccess() *access { return &access{header: make(http.Header, len(w.Headers)+8)} }

func (w *Config) readers() []func(*access) error {
	return []func(*access) error{w.readURL, w.readAuthorization, w.readHeaders, w.readKeys, w.readProxy}
}

func (w *Config) readURL(a *access) error {
	text, err := secret.Read(w.URL)
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if a.url, err = httpclient.ParseURL(text, "http", "https"); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	a.secrets.AddURL(a.url)
	if a.url.User != nil {
		password, _ := a.url.User.Password()
		setBasic(a.header, a.url.User.Username(), password)
		a.url.User = nil
	}
	return nil
}

func setBasic(h http.Header, user, password string) {
	r := http.Request{Header: h}
	r.SetBasicAuth(user, password)
}

func (w *Config) readAuthorization(a *access) error {
	if !w.Bearer.IsZero() {
		token, err := secret.Read(w.Bearer)
		if err != nil {
			return fmt.Errorf("bearer: %w", err)
		}
		a.secrets.Add(token)
		a.header.Set("Authorization", "Bearer "+token)
	}
	if w.Basic.User == "" {
		return nil
	}
	password, err := secret.Read(w.Basic.Password)
	if err != nil {
		return fmt.Errorf("basic.password: %w", err)
	}
	a.secrets.AddBasic(w.Basic.User, password)
	setBasic(a.header, w.Basic.User, password)
	return nil
}

func (w *Config) readHeaders(a *access) error {
	return httpclient.ReadHeaders(w.Headers, a.header, &a.secrets)
}

func (w *Config) readKeys(a *access) error {
	for i, s := range w.SigningSecrets {
		text, err := secret.Read(s)
		if err != nil {
			return fmt.Errorf("signing_secrets[%d]: %w", i, err)
		}
		key, err := parseKey(text)
		if err != nil {
			return fmt.Errorf("signing_secrets[%d]: %w", i, err)
		}
		a.secrets.Add(text)
		a.keys = append(a.keys, key)
	}
	return nil
}

func (w *Config) readProxy(a *access) (err error) {
	switch {
	case w.Proxy.IsZero() || w.Proxy.IsWord(proxyEnvironment) && a.url == nil:
	case w.Proxy.IsWord(proxyEnvironment):
		a.proxy, err = http.ProxyFromEnvironment(&http.Request{URL: a.url})
		if err != nil {
			return errors.New("proxy: the environment contains an invalid URL")
		}
	default:
		text, err := secret.Read(w.Proxy)
		if err != nil {
			return fmt.Errorf("proxy: %w", err)
		}
		if a.proxy, err = parseProxy(text); err != nil {
			return fmt.Errorf("proxy: %w", err)
		}
	}
	if a.proxy != nil {
		a.secrets.AddUser(a.proxy.User)
	}
	return nil
}

func parseProxy(text string) (*url.URL, error) {
	return httpclient.ParseURL(text, "http", "https", "socks5", "socks5h")
}
