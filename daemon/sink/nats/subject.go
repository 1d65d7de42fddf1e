// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/genltestd/genltestd/daemon/sink"
)

// placeholder replaces an empty value: the tokens of a subject must not be empty.
const placeholder = '_'

// appendToken appends the value of an action of the subject as one token. It replaces the
// characters that separate tokens, that are wildcards, or that end a line of the protocol.
func appendToken(dst, value []byte) []byte {
	if len(value) == 0 {
		return append(dst, placeholder)
	}
	return sink.ReplaceRunes(dst, value, string(placeholder), func(r rune) bool {
		return strings.ContainsRune(".*>", r) || unicode.IsSpace(r) || unicode.IsControl(r)
	})
}

// maxSubject is the maximum length of a subject. The line of the protocol that contains it has
// room for 4096 bytes.
const maxSubject = 2000

// acceptSubject rejects subjects that cannot be published to.
func acceptSubject(subject []byte) error {
	switch {
	case len(subject) == 0:
		return errors.New("the subject is empty; write at least one word")
	case len(subject) > maxSubject:
		return fmt.Errorf("the subject has %d bytes, more than %d; leave out long fields", len(subject), maxSubject)
	case subject[0] == '$':
		return errors.New("the subject begins with $, which is reserved for the server; begin it with a word")
	case bytes.ContainsAny(subject, " \t\r\n\x00"):
		return errors.New("the subject contains a space or a control character; leave it out")
	}
	for token := range bytes.SplitSeq(subject, []byte(".")) {
		switch {
		case len(token) == 0:
			return errors.New("the subject contains an empty token; write a word before and after each dot")
		case len(token) == 1 && (token[0] == '*' || token[0] == '>'):
			return errors.New("the subject contains a wildcard; write a word")
		}
	}
	return nil
}

// appendHeader appends the value of an action of a header, without characters that end the
// header.
func appendHeader(dst, value []byte) []byte {
	for _, c := range value {
		if c < ' ' || c == 0x7f {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}

func acceptHeader(value []byte) error {
	if bytes.ContainsAny(value, "\r\n\x00") {
		return errors.New("the value contains a line end; leave it out")
	}
	return nil
}

// fixedSubject returns a subject that contains all results of a template: the tokens before
// its first action, followed by a wildcard. It is empty without such a token.
func fixedSubject(template string) string {
	fixed, _, dynamic := strings.Cut(template, "{{")
	if !dynamic {
		return template
	}
	end := strings.LastIndexByte(fixed, '.')
	if end < 0 {
		return ""
	}
	return fixed[:end+1] + ">"
}
