// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A Foreign struct knows the words of other programs for its keys.
type Foreign interface{ ForeignKeys() []ForeignKey }

// A ForeignKey lists words that other programs use for a key.
type ForeignKey struct {
	Words  string // separated by spaces
	Key    string // path of the key: below the same mapping, or after "^" beside that mapping
	Advice string // what to write, if the name of the key does not suffice
}

// foreign returns what to write in place of a key of another program; empty for a key of no
// known program. Parent is the path of the mapping.
func foreign(t reflect.Type, parent, name string) string {
	f, ok := implements[Foreign](t)
	if !ok {
		return ""
	}
	for _, k := range f.ForeignKeys() {
		if slices.Contains(strings.Fields(k.Words), fold(name)) {
			return k.advice(parent)
		}
	}
	return ""
}

func (f ForeignKey) advice(parent string) string {
	key, beside := strings.CutPrefix(f.Key, "^")
	first, second, nested := strings.Cut(key, ".")
	switch {
	case f.Advice != "":
		return f.Advice
	case nested && beside:
		return fmt.Sprintf("write the key %q below %q, beside %q", second, first, lastKey(parent))
	case nested:
		return fmt.Sprintf("write the key %q below %q", second, first)
	case beside:
		return fmt.Sprintf("write %q, beside %q", key, lastKey(parent))
	}
	return fmt.Sprintf("write %q", key)
}

// fold makes names that differ in case and separators comparable.
func fold(name string) string {
	var b strings.Builder
	for i, c := range name {
		switch {
		case c == '-' || c == ' ' || c == '.':
			b.WriteByte('_')
		case c >= 'A' && c <= 'Z':
			if i > 0 && name[i-1] >= 'a' && name[i-1] <= 'z' {
				b.WriteByte('_')
			}
			b.WriteRune(c + 'a' - 'A')
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}
