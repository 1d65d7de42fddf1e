// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/base64"
	"encoding/hex"
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
// elsewhere: a server may send back what it was sent, or a part of it.
type redactor struct {
	secrets []string

	// What to look for, made when it is needed first.
	windows map[uint64]struct{}
	whole   []string
}

// or returns before in place of r when it knows the same secrets.
func (r *redactor) or(before *redactor) *redactor {
	if before != nil && slices.Equal(r.secrets, before.secrets) {
		return before
	}
	return r
}

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
	text = r.mask(text[:min(len(text), maxCleaned)])
	visible := string(event.AppendVisible(nil, []byte(strings.TrimSpace(text))))
	if len(visible) <= limit {
		return visible
	}
	for limit > 0 && !utf8.RuneStart(visible[limit]) {
		limit--
	}
	return visible[:limit] + "…"
}

// maxCleaned is more of a text than is ever shown, also when much of it is masked.
const maxCleaned = 8 << 10

// window is how many bytes in a row must be those of a secret, in one of its forms and
// in capitals or not, to be masked. So a secret is found that was cut off, or in which
// something is escaped in a way that nobody foresaw. Shorter secrets are masked where
// they stand as a whole.
const window = 6

// mask puts a word in place of what is secret.
func (r *redactor) mask(text string) string {
	r.prepare()
	lower := lowerASCII(text)
	hidden := make([]bool, len(text))
	hide := func(from, to int) {
		for i := from; i < to; i++ {
			hidden[i] = true
		}
	}
	for i := range len(lower) {
		if i+window <= len(lower) {
			if _, ok := r.windows[windowAt(lower, i)]; ok {
				hide(i, i+window)
			}
		}
		for _, form := range r.whole {
			if strings.HasPrefix(lower[i:], form) {
				hide(i, i+len(form))
			}
		}
	}
	return replaceHidden(text, hidden)
}

// prepare notes what to look for: every window, and what is shorter as a whole.
func (r *redactor) prepare() {
	if r.windows != nil {
		return
	}
	r.windows = make(map[uint64]struct{})
	for _, s := range r.secrets {
		for _, form := range formsOf(s) {
			form = lowerASCII(form)
			if len(form) < window {
				r.whole = append(r.whole, form)
			}
			for i := 0; i+window <= len(form); i++ {
				r.windows[windowAt(form, i)] = struct{}{}
			}
		}
	}
}

// windowAt packs a window.
func windowAt(s string, i int) (w uint64) {
	for _, c := range []byte(s[i : i+window]) {
		w = w<<8 | uint64(c)
	}
	return w
}

// replaceHidden masks each row of bytes that is hidden, and with it what it would leave
// of a character.
func replaceHidden(text string, hidden []bool) string {
	for i := 1; i < len(text); i++ {
		hidden[i] = hidden[i] || hidden[i-1] && !utf8.RuneStart(text[i])
	}
	for i := len(text) - 1; i > 0; i-- {
		hidden[i-1] = hidden[i-1] || hidden[i] && !utf8.RuneStart(text[i])
	}
	var b strings.Builder
	for i := range len(text) {
		switch {
		case !hidden[i]:
			b.WriteByte(text[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString(masked)
		}
	}
	return b.String()
}

// lowerASCII keeps the length, also of what is no UTF-8.
func lowerASCII(s string) string {
	lower := []byte(s)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + ('a' - 'A')
		}
	}
	return string(lower)
}

// formsOf returns the spellings of s.
func formsOf(s string) []string {
	forms := []string{s, url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s), strings.ReplaceAll(s, "/", `\/`)}
	quoted := strconv.Quote(s)
	forms = append(forms, quoted[1:len(quoted)-1])
	if text, err := json.Marshal(s); err == nil {
		forms = append(forms, string(text[1:len(text)-1]))
	}
	if len(s) < window {
		return forms // in base64 it would be found where it is not
	}
	return append(append(forms, hex.EncodeToString([]byte(s))), inBase64(s)...)
}

// inBase64 returns what s is in base64 at each of the three places that it may have
// among other bytes, without the characters that these have a part in.
func inBase64(s string) (forms []string) {
	for before := range 3 {
		text := base64.RawStdEncoding.EncodeToString([]byte("xx"[:before] + s))
		if (before+len(s))%3 != 0 {
			text = text[:len(text)-1]
		}
		text = text[(before*8+5)/6:]
		forms = append(forms, text, strings.NewReplacer("+", "-", "/", "_").Replace(text))
	}
	return forms
}
