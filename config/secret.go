// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"unicode"
)

// A Secret is a value that nobody is to see: a text of its own in the file, or a
// mapping that says where it is. The zero Secret is none. However it is printed,
// it does not show the text.
type Secret struct {
	// Credential is the name of one that systemd hands to the service.
	Credential string `yaml:"credential"`
	// File is an absolute path.
	File string `yaml:"file"`
	// Env is the name of an environment variable.
	Env string `yaml:"env"`

	inline *string // fmt prints what is not exported by itself, but follows no pointer
}

// Inline returns the text, if it stands in the file itself.
func (s Secret) Inline() (text string, ok bool) {
	if s.inline == nil {
		return "", false
	}
	return *s.inline, true
}

// isWord says whether the text is no secret but a word that the file may have in its
// place; empty is none.
func (s Secret) isWord(word string) bool {
	text, ok := s.Inline()
	return ok && word != "" && text == word
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s == Secret{} }

// Equal reports whether both are the same text or the same place.
func (s Secret) Equal(t Secret) bool {
	a, inA := s.Inline()
	b, inB := t.Inline()
	s.inline, t.inline = nil, nil
	return s == t && a == b && inA == inB
}

// UnmarshalText reads a secret that stands in the file itself. An empty text is no
// secret.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret{}
	if value := string(text); value != "" {
		s.inline = &value
	}
	return nil
}

// MarshalText says that there is a secret, or where.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// mask stands for a secret that is not to be seen.
const mask = "<secret>"

// String says that there is a secret, or where.
func (s Secret) String() string {
	for _, at := range s.places() {
		if at.value != "" {
			return "<" + at.key + " " + at.value + ">"
		}
	}
	if s.inline != nil {
		return mask
	}
	return ""
}

// Format implements fmt.Formatter: no verb shows the text.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

type secretPlace struct{ key, value string }

func (s *Secret) places() [3]secretPlace {
	return [...]secretPlace{{"credential", s.Credential}, {"file", s.File}, {"env", s.Env}}
}

var (
	credentialName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$`)
	envName        = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,254}$`)
)

func (s *Secret) check(at section) {
	count := 0
	for _, place := range s.places() {
		if place.value != "" {
			count++
		} else if at.given(place.key) {
			at.errorf(place.key, "is empty; say where the secret is, or leave the key out")
		}
	}
	if count > 1 {
		at.fail(at.spot(""), at.path, "says more than one place; leave all but one of credential, file and env out")
	}
	if s.isWord(mask) {
		at.fail(at.values[at.path], at.path, "%s is what is printed in place of a secret; write the secret itself, or where it is: credential, file or env", mask)
	}
	s.checkPlaces(at)
}

// checkPlaces repeats nothing: what is no place may be the secret itself.
func (s *Secret) checkPlaces(at section) {
	if s.Credential != "" && !credentialName.MatchString(s.Credential) {
		at.errorf("credential", "is no name of a credential; write the ID that LoadCredential= in the unit has, of letters, digits, _, . and -")
	}
	switch {
	case s.File == "":
	case !filepath.IsAbs(s.File):
		at.errorf("file", "is not absolute; begin it with /")
	case strings.ContainsFunc(s.File, unicode.IsControl):
		at.errorf("file", "has a control character; leave it out")
	}
	if s.Env != "" && !envName.MatchString(s.Env) {
		at.errorf("env", "is no name of a variable; write letters, digits and _, without a $")
	}
}

// Warnings names what works and should not stay: a secret that stands in a file
// which everybody on the machine may read, and a value that most likely is not the one
// that was meant. It is empty for a Config from no file.
func (c *Config) Warnings() Errors {
	if c.source == nil {
		return nil
	}
	var all Errors
	for _, r := range c.source {
		all = append(all, r.warnings...)
	}
	c.EachSecret(func(path string, s Secret) {
		file, _ := c.source.locate(path)
		if text, ok := s.Inline(); ok && file.mode&0o004 != 0 && !isPublicURL(text) {
			all = append(all, c.Fault(path, "is a secret in a file that everybody may read; take the right from others (chmod o-r), or write where the secret is: credential, file or env"))
		}
	})
	return all
}

// isPublicURL says whether a text is a URL in which nothing looks secret. The last
// part of a path may be a token, as with many chat services.
func isPublicURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return false
	}
	longest := 0
	for part := range strings.SplitSeq(u.Path, "/") {
		longest = max(longest, len(part))
	}
	return longest < 16
}

// EachSecret calls do for every secret of the configuration, with its path.
func (c *Config) EachSecret(do func(path string, s Secret)) {
	eachSecret(reflect.ValueOf(c).Elem(), "", do)
}

// eachSecret calls do for every secret within v.
func eachSecret(v reflect.Value, path string, do func(path string, s Secret)) {
	if s, ok := v.Interface().(Secret); ok {
		do(path, s)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			eachSecret(v.Elem(), path, do)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachSecret(v.Index(i), fmt.Sprintf("%s[%d]", path, i), do)
		}
	case reflect.Struct:
		for i, key := range keysOf(v.Type()) {
			eachSecret(v.Field(i), join(path, key), do)
		}
	}
}
