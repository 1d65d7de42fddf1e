// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/daemon/sink"
)

// The lines around the table of kinds in a page.
const (
	beginKinds = "<!-- begin kinds -->\n"
	endKinds   = "<!-- end kinds -->\n"
)

// withKinds returns a page with its table of kinds. Prefix is that of the links to docs/sinks.
func withKinds(page []byte, prefix string, kinds []sink.Kind) ([]byte, error) {
	before, rest, begins := bytes.Cut(page, []byte(beginKinds))
	_, after, ends := bytes.Cut(rest, []byte(endKinds))
	if !begins || !ends {
		return nil, fmt.Errorf("the page lacks the lines %q and %q", beginKinds, endKinds)
	}
	return slices.Concat(before, []byte(beginKinds+kindTable(prefix, kinds)+endKinds), after), nil
}

func kindTable(prefix string, kinds []sink.Kind) string {
	var b strings.Builder
	b.WriteString("| kind | function |\n| --- | --- |\n")
	sorted := slices.SortedFunc(slices.Values(kinds), func(a, b sink.Kind) int { return cmp.Compare(a.Name, b.Name) })
	for _, kind := range sorted {
		fmt.Fprintf(&b, "| [`%[1]s`](%[2]s%[1]s.md) | %[3]s |\n", kind.Name, prefix, kind.Summary)
	}
	return b.String()
}
