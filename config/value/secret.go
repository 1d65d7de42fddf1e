// SPDX-License-Identifier: Apache-2.0

package value

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"github.com/genltestd/genltestd/config/strict"
)

var (
	_ strict.Checker    = (*Secret)(nil)
	_ strict.Value      = (*Secret)(nil)
	_ strict.Sensitive  = (*Secret)(nil)
	_ strict.Suspicious = (*Secret)(nil)
	_ strict.Described  = (*Secret)(nil)
)

// A Secret is a password, a token or the like: a text in the file itself, or a mapping with
// the place of the text. The zero Secret is not configured. No form of printing shows the
// text. Package daemon/secret reads it.
type Secret struct {
	// Credential is the name of a credential that systemd passes to the service.
	Credential string `yaml:"credential"`
	// File is an absolute path.
	File string `yaml:"file"`
	// Env is the name of an environment variable.
	Env string `yaml:"env"`

	inline *string // fmt prints unexported fields by itself, but follows no pointer
}

// Inline returns a secret with a text.
func Inline(text string) Secret { return Secret{inline: &text} }

// Inline returns the text, if it is in the file itself.
func (s Secret) Inline() (text string, ok bool) {
	if s.inline == nil {
		return "", false
	}
	return *s.inline, true
}

// IsWord reports whether the file contains a word in place of a secret. No word is empty.
func (s Secret) IsWord(word string) bool {
	text, ok := s.Inline()
	return ok && word != "" && text == word
}

// IsZero reports whether the secret is not configured.
func (s Secret) IsZero() bool { return s == Secret{} }

// Equal reports whether both are the same text or the same place.
func (s Secret) Equal(t Secret) bool {
	a, inA := s.Inline()
	b, inB := t.Inline()
	s.inline, t.inline = nil, nil
	return s == t && a == b && inA == inB
}

// UnmarshalText accepts the text of a secret. An empty text results in the zero Secret.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret{}
	if len(text) > 0 {
		*s = Inline(string(text))
	}
	return nil
}

// MarshalText returns the text of String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Mask replaces a secret in everything that is printed.
const Mask = "<secret>"

// String returns the place of the secret, or Mask.
func (s Secret) String() string {
	for _, at := range s.places() {
		if at.value != "" {
			return "<" + at.key + " " + at.value + ">"
		}
	}
	if s.inline != nil {
		return Mask
	}
	return ""
}

// Format implements fmt.Formatter: no verb shows the text.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// YAML implements strict.Value. It shows the text only of a word.
func (s Secret) YAML(word string) string {
	for _, at := range s.places() {
		if at.value != "" {
			return "{" + at.key + ": " + strict.Plain(at.value) + "}"
		}
	}
	switch {
	case s.IsWord(word):
		return word
	case s.inline != nil:
		return Mask
	}
	return `""`
}

type secretPlace struct{ key, value string }

func (s *Secret) places() [3]secretPlace {
	return [...]secretPlace{{"credential", s.Credential}, {"file", s.File}, {"env", s.Env}}
}

// IsSensitive implements strict.Sensitive.
func (s *Secret) IsSensitive() bool { return true }

const invalidCredential = "is not a valid name of a credential; " +
	"write the ID that LoadCredential= in the unit has, of letters, digits, _, . and -"

var (
	credentialName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	envName        = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	placeAsText    = regexp.MustCompile(`^(credential|file|env):`)
)

const maxName = 255 // bytes, of a credential or a variable

func isCredential(name string) bool { return len(name) <= maxName && credentialName.MatchString(name) }

// Suspicion implements strict.Suspicious.
func (s *Secret) Suspicion(text string) string {
	switch {
	case placeAsText.MatchString(text):
		return "is used as the secret itself, although it looks like a place; " +
			"write the place in braces: {credential: NAME}, {file: PATH} or {env: NAME}"
	case strict.HasVariable(text):
		return "is used as it is, variables and templates are not expanded; " +
			"write {env: NAME}, {file: PATH} or {credential: NAME} in place of the whole value"
	}
	return ""
}

// Check implements strict.Checker.
func (s *Secret) Check(at strict.Section) {
	count := 0
	for _, place := range s.places() {
		if place.value != "" {
			count++
		} else if at.Given(place.key) {
			at.Errorf(place.key, "is empty; write the place of the secret, or leave the key out")
		}
	}
	if count > 1 {
		at.FailKey("contains more than one place; keep one of credential, file and env")
	}
	if s.IsWord(Mask) {
		at.Fail("%s is printed in place of a secret; write the secret itself, or its place: credential, file or env", Mask)
	}
	s.checkPlaces(at)
}

// checkPlaces repeats no text: an invalid place may be the secret itself.
func (s *Secret) checkPlaces(at strict.Section) {
	if s.Credential != "" && !isCredential(s.Credential) {
		at.Errorf("credential", invalidCredential)
	}
	switch {
	case s.File == "":
	case !filepath.IsAbs(s.File):
		at.Errorf("file", "is not absolute; begin it with /")
	case strings.ContainsFunc(s.File, unicode.IsControl):
		at.Errorf("file", "has a control character; leave it out")
	}
	if s.Env != "" && (len(s.Env) > maxName || !envName.MatchString(s.Env)) {
		at.Errorf("env", "is not a valid name of a variable; write letters, digits and _, without a $")
	}
}

// Describe implements strict.Described.
func (s *Secret) Describe() strict.Description {
	return strict.Description{Type: "secret", Schema: map[string]any{
		"type": []string{"string", "number", "boolean", "object"}, // YAML may read the text as another type
		"properties": map[string]any{
			"credential": textSchema("The ID of a credential that the service receives: LoadCredential= in the unit."),
			"file":       textSchema("The absolute path of a file that contains the secret."),
			"env":        textSchema("The name of an environment variable that contains the secret."),
		},
		"additionalProperties": false, "maxProperties": 1,
		"not": map[string]any{"const": Mask},
	}}
}

func textSchema(description string) map[string]any {
	return map[string]any{"type": "string", "description": description}
}
