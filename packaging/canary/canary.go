// SPDX-License-Identifier: Apache-2.0

// Package canary supports tests that no secret leaks. It creates texts to use as secrets, and
// finds them in outputs in any encoding.
package canary

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Canary is a unique text.
type Canary struct {
	Name       string // describes where it is used
	head, tail string // letters and digits, which no encoding escapes
}

// New returns the canary with a name. The same name always results in the same canary.
func New(name string) Canary {
	sum := sha256.Sum256([]byte(name))
	core := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))
	return Canary{name, core[:halfLen], core[halfLen : 2*halfLen]}
}

const halfLen = 12

// Word returns the canary in a form of letters and digits.
func (c Canary) Word() string { return c.head + c.tail }

// Text returns the canary in a form for headers. It contains the characters that URLs, JSON, HTML
// and shells escape.
func (c Canary) Text() string { return c.head + `"/&<é=+ %\'>` + c.tail }

// A Leak is a canary that was found in a text.
type Leak struct {
	Name   string // name of the canary
	Form   string // "plain" or the encoding
	Around string // the text around it
}

func (l Leak) String() string { return fmt.Sprintf("%s, %s: %q", l.Name, l.Form, l.Around) }

// A Finder finds canaries, and parts of them with at least eight characters, which could help
// an attacker.
type Finder struct {
	windows map[int]map[string]Leak // by length; in lower case
	begins  [256]bool               // first bytes of all windows
}

// NewFinder returns a Finder for these canaries.
func NewFinder(canaries ...Canary) *Finder {
	f := &Finder{windows: make(map[int]map[string]Leak)}
	for _, c := range canaries {
		for _, half := range []string{c.head, c.tail} {
			for _, form := range forms {
				for _, text := range form.encode(half) {
					f.add(Leak{Name: c.Name, Form: form.name}, strings.ToLower(text), form.window)
				}
			}
		}
	}
	return f
}

func (f *Finder) add(l Leak, text string, window int) {
	if f.windows[window] == nil {
		f.windows[window] = make(map[string]Leak)
	}
	for i := 0; i+window <= len(text); i++ {
		if text[i] != 0 { // zero bytes are frequent in files and never start a window
			f.windows[window][text[i:i+window]] = l
			f.begins[text[i]] = true
		}
	}
}

// Find returns the first occurrence of each canary in each form, in order.
func (f *Finder) Find(text []byte) []Leak {
	lower := lowerASCII(text)
	found := make(map[Leak]Leak)
	for i, c := range lower {
		if !f.begins[c] {
			continue
		}
		for window, leaks := range f.windows {
			if i+window > len(lower) {
				continue
			}
			if l, ok := leaks[string(lower[i:i+window])]; ok && found[l] == (Leak{}) {
				shown := l
				shown.Around = string(text[max(i-60, 0):min(i+100, len(text))])
				found[l] = shown
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b Leak) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Form, b.Form))
	})
}

// lowerASCII keeps the length, also of invalid text.
func lowerASCII(text []byte) []byte {
	lower := bytes.Clone(text)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + ('a' - 'A')
		}
	}
	return lower
}
