// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// Texts are secrets in the forms in which a sink sends them.
type Texts []string

// minSecret excludes short values, such as the number of a version in a query. Masking
// these would make errors unreadable.
const minSecret = 4

// Add adds secrets. Short ones are ignored.
func (t *Texts) Add(secrets ...string) {
	for _, s := range secrets {
		if s = strings.TrimSpace(s); len(s) >= minSecret { // headers lose the space around them
			*t = append(*t, s)
		}
	}
}

// AddURL adds all parts of a URL but its scheme and its host: user and password, path
// and query.
func (t *Texts) AddURL(u *url.URL) {
	t.AddUser(u.User)
	t.Add(u.RequestURI(), u.EscapedPath(), u.Path)
	t.Add(u.RawQuery)
	for _, values := range u.Query() {
		t.Add(values...)
	}
}

// AddUser adds the user and the password of a URL; nil is none.
func (t *Texts) AddUser(user *url.Userinfo) {
	if user == nil {
		return
	}
	password, _ := user.Password()
	t.Add(user.Username(), password, user.String())
	t.AddBasic(user.Username(), password)
}

// AddBasic adds a password, and the header of the scheme Basic that contains it.
func (t *Texts) AddBasic(user, password string) {
	t.Add(password, base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}
