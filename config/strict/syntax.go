// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// MaxFile limits the size of a file, in bytes: it is far larger than any file that a person
// writes.
const MaxFile = 1 << 20

// document parses the YAML. It returns nil for a text that sets nothing, and for a text
// with a fault. A text with syntax errors that have a remedy is parsed with the remedies: see
// repaired.
func (r *Report) document(text []byte) *yaml.Node {
	if len(text) > MaxFile {
		r.fail(position{}, "", "the file is larger than 1MiB")
		return nil
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // a byte order mark
	if !r.isYAMLText(text) {
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	root, err := next(dec)
	if err == nil {
		var second *yaml.Node
		if second, err = next(dec); err == nil {
			r.fail(positionOf(second), "", `a second YAML document begins here; put all keys into one, without "---" between`)
			return nil
		}
	}
	if !errors.Is(err, io.EOF) {
		if text = r.syntax(text, err); text == nil {
			r.failed[""] = true
			return nil
		}
		return r.document(text)
	}
	if root == nil || isNull(root) && root.Value == "" && root.Style == 0 {
		return nil // only comments, or a "---"
	}
	return root
}

// next parses one document. yaml.v3 can panic, and is not maintained any more.
func next(dec *yaml.Decoder) (root *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			root, err = nil, errors.New("the YAML parser fails on this text")
		}
	}()
	var n yaml.Node
	if err := dec.Decode(&n); err != nil {
		return nil, err
	}
	return n.Content[0], nil
}

// isYAMLText checks the characters, because yaml.v3 does not report the place of an
// invalid character.
func (r *Report) isYAMLText(text []byte) bool {
	at := position{1, 1}
	for len(text) > 0 {
		c, n := utf8.DecodeRune(text)
		switch {
		case c == utf8.RuneError && n == 1:
			r.fail(at, "", "the byte %#02x is not UTF-8; save the file as UTF-8", text[0])
			return false
		case !isYAMLRune(c):
			r.fail(at, "", "the control character %U is not allowed; leave it out", c)
			return false
		case c == '\n':
			at = position{at.line + 1, 0}
		}
		at.column++
		text = text[n:]
	}
	return true
}

// isYAMLRune is YAML's c-printable, without surrogates, which UTF-8 excludes.
func isYAMLRune(c rune) bool {
	switch {
	case c == '\t', c == '\n', c == '\r', c == '\u0085':
		return true
	case c < ' ', '\x7f' <= c && c < '\u00a0', c == '\ufffe', c == '\uffff':
		return false
	}
	return true
}
