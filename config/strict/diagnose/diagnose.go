// SPDX-License-Identifier: Apache-2.0

// Package diagnose finds the likely cause of a YAML text that a parser rejects.
//
// The parser's own messages name a line nearby, no column, and terms of the YAML
// specification. This package compares the text with mistakes that people make. Each
// checker proposes a position, a message, and edits that repair the text. A proposal
// counts only if the parser accepts more of the repaired text than of the original.
package diagnose

import (
	"bytes"
	"unicode/utf8"
)

// A Fault is the cause of a syntax error.
type Fault struct {
	Line, Column int // from 1; the column counts characters
	Message      string

	// Repaired is the text with the remedy of Message applied; nil if Message lacks a
	// remedy that the parser accepts.
	Repaired []byte
}

// A Kind is the kind of value that a key has.
type Kind int

// The kinds of values.
const (
	Unknown Kind = iota // not a key, or a key with values of several kinds
	Scalar              // a single value
	Parts               // a list, or keys
)

// A Language describes the texts that are diagnosed.
type Language struct {
	// Parses reports whether the parser accepts a text.
	Parses func(text []byte) bool
	// Kind returns the kind of value that a key has.
	Kind func(key string) Kind
	// IsPublic reports whether a message may repeat the value of a key.
	IsPublic func(key string) bool
	// Reject returns why a key does not accept a text, with a remedy; empty if it accepts
	// the text, or if a message must not repeat the text.
	Reject func(key, text string) string
}

// maxCost bounds the work of one diagnosis: how many bytes are parsed, at the speed of a
// text without nested brackets.
const maxCost = 2 << 20

// A proposal is one possible cause. Each alternative is a set of edits that repairs it.
type proposal struct {
	at           int // offset in the text
	message      string
	alternatives [][]edit
}

// A checker recognizes one kind of mistake.
type checker struct {
	name string
	find func(d *document) []proposal
}

// checkers are in the order of their certainty. A general checker follows those whose
// mistakes it would explain in a more general way.
var checkers = []checker{
	{"merge conflict", conflictMarkers},
	{"directive", directives},
	{"end of document", documentEnds},
	{"template command", templateCommands},
	{"block of text", textBlocks},
	{"tab", tabs},
	{"special space", specialSpaces},
	{"wide mark", wideMarks},
	{"unknown alias", unknownAliases},
	{"escape", escapes},
	{"inner quote", innerQuotes},
	{"trailing mark", trailingMarks},
	{"scalar", scalars},
	{"unclosed quote", unclosedQuotes},
	{"line break", lineBreaks},
	{"comment in brackets", commentsInBrackets},
	{"brackets", brackets},
	{"space after dash", missingSpaceAfterDash},
	{"space after colon", missingSpaceAfterColon},
	{"equals sign", equalsSigns},
	{"missing colon", missingColons},
	{"slashes", slashComments},
	{"indentation", indentations},
	{"value", values},
}

// Find returns the likely cause why the parser rejects the text. Without an explanation
// it returns the place from which on the parser rejects the text. Near is the line that
// the parser's error names; it counts only for a text that is too costly to examine.
func Find(text []byte, near int, language Language) Fault {
	d := newDocument(text, near, language)
	var all []proposal
	for _, c := range checkers {
		all = append(all, c.find(d)...)
	}
	// A text can have several mistakes, so a proposal that repairs one of them counts,
	// unless another repairs the text as a whole.
	for _, accepted := range []func([]byte) bool{d.parses, d.helps} {
		for _, p := range all[:min(len(all), maxProposals)] {
			for _, edits := range p.alternatives {
				if repaired := apply(text, edits); accepted(repaired) {
					return d.fault(p, repaired)
				}
			}
		}
	}
	return d.fault(proposal{
		at: d.firstText(d.bad),
		message: "the text cannot be read as YAML from here on; " +
			"compare the indentation, quotes, brackets and colons of this line and the line before with an example",
	}, nil)
}

// maxProposals bounds how many proposals are tried.
const maxProposals = 200

// fault converts the offset of a proposal.
func (d *document) fault(p proposal, repaired []byte) Fault {
	i := d.lineAt(p.at)
	return Fault{Line: i + 1, Column: 1 + utf8.RuneCount(d.text[d.lines[i].start:p.at]), Message: p.message, Repaired: repaired}
}

// helps reports whether the parser accepts more lines than before.
func (d *document) helps(repaired []byte) bool {
	const after = 30 // a bracket may span many lines
	ends := lineEnds(repaired)
	for i := d.bad; i < min(len(ends), d.bad+after); i++ {
		if d.parses(repaired[:ends[i]]) {
			return true
		}
	}
	return false
}

// parses asks the parser, within the bound.
func (d *document) parses(text []byte) bool {
	d.cost += len(text) * (1 + d.depth/10)
	return d.cost <= maxCost && d.language.Parses(text)
}

// depth returns how deep brackets are nested: the parser's time grows with it.
func depth(text []byte) (deepest int) {
	open := 0
	for _, c := range text {
		switch c {
		case '[', '{':
			open++
			deepest = max(deepest, open)
		case ']', '}':
			open = max(0, open-1)
		}
	}
	return deepest
}

// lineEnds returns the offset behind each line.
func lineEnds(text []byte) (ends []int) {
	for at := 0; at < len(text); {
		n := bytes.IndexByte(text[at:], '\n')
		if n < 0 {
			return append(ends, len(text))
		}
		at += n + 1
		ends = append(ends, at)
	}
	return ends
}

// firstBad returns the index of the first line that belongs to no accepted beginning of
// the text: the faulty line, or the line in which a faulty bracket or quote begins. It
// returns -1 if that is too costly.
func (d *document) firstBad() int {
	ends := lineEnds(d.text)
	good, bad := 0, len(ends) // so many lines are accepted, and so many are not
	for {
		for bad-good > 1 {
			middle := (good + bad) / 2
			if d.parses(d.text[:ends[middle-1]]) {
				good = middle
			} else {
				bad = middle
			}
		}
		if d.cost > maxCost {
			return -1
		}
		next := d.nextGood(ends, good)
		if next < 0 {
			return good
		}
		good, bad = next, len(ends)
	}
}

// nextGood looks for a longer accepted beginning: a bracket or quote that spans several
// lines is rejected until the line that closes it.
func (d *document) nextGood(ends []int, good int) int {
	for n := good + 2; n < len(ends) && d.cost < maxCost/2; n++ {
		if d.parses(d.text[:ends[n-1]]) {
			return n
		}
	}
	return -1
}
