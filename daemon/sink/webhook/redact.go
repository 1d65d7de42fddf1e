// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/genltestd/genltestd/daemon/event"
)

const masked = "<secret>"

// A redactor takes what is known to be secret out of text that comes from
// elsewhere: a server may send back what it was sent.
type redactor struct{ secrets []string }

// minSecret spares errors that a short value, such as a header's "true", makes
// unreadable. Nobody guesses long at three bytes.
const minSecret = 4

func (r *redactor) add(secrets ...string) {
	for _, s := range secrets {
		if s = strings.TrimSpace(s); len(s) >= minSecret { // headers lose the space around them
			r.secrets = append(r.secrets, s)
		}
	}
}

// addURL takes all of a URL but scheme and host for secret: user and password, the
// path and the query.
func (r *redactor) addURL(u *url.URL) {
	if u == nil {
		return
	}
	r.addUser(u.User)
	r.add(u.RequestURI(), u.EscapedPath(), u.Path)
	r.add(u.RawQuery)
	for _, values := range u.Query() {
		r.add(values...)
	}
}

func (r *redactor) addUser(user *url.Userinfo) {
	if user == nil {
		return
	}
	password, _ := user.Password()
	r.add(user.Username(), password, user.String())
	r.addBasic(user.Username(), password)
}

// addBasic takes for secret how the scheme Basic sends a password.
func (r *redactor) addBasic(user, password string) {
	r.add(password, base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

// clean makes text fit for an error: nothing secret, one line that no terminal
// obeys, and at most limit bytes and a mark.
func (r *redactor) clean(text string, limit int) string {
	text = r.replacer().Replace(text)
	visible := string(event.AppendVisible(nil, []byte(strings.TrimSpace(text))))
	if len(visible) <= limit {
		return visible
	}
	for limit > 0 && !utf8.RuneStart(visible[limit]) {
		limit--
	}
	return visible[:limit] + "…"
}

// replacer knows each secret as it may be written by a server or a library. It is
// made for errors only.
func (r *redactor) replacer() *strings.Replacer {
	var forms []string
	for _, s := range r.secrets {
		forms = append(forms, formsOf(s)...)
	}
	// The longest first, so that no part of it is left.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	var pairs []string
	for _, form := range slices.Compact(forms) {
		pairs = append(pairs, form, masked)
	}
	return strings.NewReplacer(pairs...)
}

// formsOf returns the spellings of s, and what is long in it and never escaped: servers
// know more ways to escape the rest than stand here.
func formsOf(s string) []string {
	forms := longParts(s)
	forms = append(forms, s, url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s), strings.ReplaceAll(s, "/", `\/`))
	quoted := strconv.Quote(s)
	forms = append(forms, quoted[1:len(quoted)-1])
	if text, err := json.Marshal(s); err == nil {
		forms = append(forms, string(text[1:len(text)-1]))
	}
	return forms
}

const minPart = 6 // spares "api", "v2" and their like

func longParts(s string) (parts []string) {
	for _, part := range strings.FieldsFunc(s, isEscapable) {
		if len(part) >= minPart {
			parts = append(parts, part)
		}
	}
	return parts
}

func isEscapable(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~", r)
}
