// SPDX-License-Identifier: Apache-2.0

// Package canary is for tests that no secret leaks: it makes texts to be planted in
// place of secrets, and finds them again in whatever form they have leaked.
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

// A Canary is a text that looks like nothing else.
type Canary struct {
	Name       string // says where it was planted
	head, tail string // of letters and digits, which no encoding escapes
}

// New returns a canary. The same name gives the same one.
func New(name string) Canary {
	sum := sha256.Sum256([]byte(name))
	core := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))
	return Canary{name, core[:halfLen], core[halfLen : 2*halfLen]}
}

const halfLen = 12

// Word is the canary where nothing but letters and digits may stand.
func (c Canary) Word() string { return c.head + c.tail }

// Text is the canary as it may stand in a header: with all that programs escape, each
// in its own way.
func (c Canary) Text() string { return c.head + `"/&<é=+ %\'>` + c.tail }

// A Leak is a canary in a text.
type Leak struct {
	Name   string // the canary's
	Form   string // plain, or the encoding
	Around string // what stands there
}

func (l Leak) String() string { return fmt.Sprintf("%s, %s: %q", l.Name, l.Form, l.Around) }

// A Finder finds canaries, and parts of them that are long enough to be of use to
// somebody: eight characters.
type Finder struct {
	windows map[int]map[string]Leak // by length; in lower case
	begins  [256]bool               // what one of them begins with
}

// NewFinder returns a Finder of these canaries.
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
		if text[i] != 0 { // the windows beside it do, and files are full of it
			f.windows[window][text[i:i+window]] = l
			f.begins[text[i]] = true
		}
	}
}

// Find returns the first place of each canary in each form, in order.
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

// lowerASCII keeps the length, also of what is no text.
func lowerASCII(text []byte) []byte {
	lower := bytes.Clone(text)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + ('a' - 'A')
		}
	}
	return lower
}
