// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// Texts are secrets in the forms in which a sink sends them.
type Texts []string

// minSecret excludes short values, such as a version number in a query. Masking these would
// make errors unreadable.
const minSecret = 4

// Add adds secrets. It ignores short ones.
func (t *Texts) Add(secrets ...string) {
	for _, s := range secrets {
		if s = strings.TrimSpace(s); len(s) >= minSecret { // servers trim header values
			*t = append(*t, s)
		}
	}
}

// AddURL adds the secret parts of a URL: user and password, path and query, but not scheme
// and host.
func (t *Texts) AddURL(u *url.URL) {
	t.AddUser(u.User)
	t.Add(u.RequestURI(), u.EscapedPath(), u.Path)
	t.Add(u.RawQuery)
	for _, values := range u.Query() {
		t.Add(values...)
	}
}

// AddUser adds the user and the password of a URL. user may be nil.
func (t *Texts) AddUser(user *url.Userinfo) {
	if user == nil {
		return
	}
	password, _ := user.Password()
	t.Add(user.Username(), password, user.String())
	t.AddBasic(user.Username(), password)
}

// AddBasic adds a password, and the value of the Basic scheme that contains it.
func (t *Texts) AddBasic(user, password string) {
	t.Add(password, base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}
