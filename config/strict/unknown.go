// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/genltestd/genltestd/internal/similar"
)

// An unknownKey is a key that its mapping does not accept.
type unknownKey struct {
	pair
	name   string
	in     reflect.Type // of the mapping
	parent string       // path of the mapping
	keys   []string     // that are allowed in the mapping
	fields []Field      // of the mapping
}

// unknown reports an unknown key, with the most specific advice.
func (d *decoder) unknown(u unknownKey) {
	if d.stopped {
		return
	}
	at, note := positionOf(u.key), d.add
	if d.tolerant {
		note = d.warn
	}
	if i := d.joined(u); i > 0 {
		at.column += i
	}
	for _, advise := range []func(unknownKey) string{
		d.spacing, d.kindKey, d.shorterIndent, d.nameAsKey, d.foreignWord, d.elsewhere, d.similar, d.otherKind,
	} {
		if advice := advise(u); advice != "" {
			note(at, d.keyPath(u.parent, u.name), "unknown key; %s", advice)
			return
		}
	}
	note(at, d.keyPath(u.parent, u.name), "unknown key; %s", suggest(u.name, u.keys))
}

// joined returns where in the key a known key ends that a colon without a space follows,
// as in "file:{path"; 0 without one.
func (d *decoder) joined(u unknownKey) int {
	if before, _, ok := strings.Cut(u.name, ":"); ok && u.key.Style == 0 && slices.Contains(u.keys, before) {
		return len(before)
	}
	return 0
}

func (d *decoder) spacing(u unknownKey) string {
	if i := d.joined(u); i > 0 && u.name[i:] == ":" {
		return "a second colon follows the key; remove it"
	} else if i > 0 {
		return fmt.Sprintf(`a space is missing after "%s:"; write "%[1]s: "`, u.name[:i])
	}
	if u.name == "<<" {
		return "write << without quotes"
	}
	if u.key.Style == 0 && isNull(u.value) && strings.ContainsAny(u.name, `"'`) {
		return "a comma within brackets ends a value without quotes; put the value before it into quotes as a whole"
	}
	return ""
}

// kindKey is for kind and type, which other programs use to select a variant.
func (d *decoder) kindKey(u unknownKey) string {
	if unionOf(u.in) < 0 || u.value.Kind != yaml.ScalarNode {
		return ""
	}
	switch noun := noun(u.in); similar.Fold(u.name) {
	case "kind", "type", "driver", "plugin", noun + "_type", noun:
	default:
		return ""
	}
	kind, advice := likelyVariant(u.value.Value, d.variants)
	if slices.ContainsFunc(d.variants, func(v Variant) bool { return v.Key == u.value.Value }) {
		kind = u.value.Value
	}
	switch {
	case kind == "":
		return "the kind is a key of its own; write one of " + joinKeys(d.variants)
	case d.has(u.parent, kind):
		return fmt.Sprintf("the key %q selects the kind; remove this key", kind)
	case advice != "":
		return advice
	}
	return fmt.Sprintf("write %q in its place, with the keys of this kind below it", kind+":")
}

// has reports whether the mapping at a path has a key.
func (d *decoder) has(parent, key string) bool { return d.siblings[parent][key] != nil }

// shorterIndent is for a key that is not indented as part of the empty key before it.
func (d *decoder) shorterIndent(u unknownKey) string {
	for _, f := range u.fields {
		value := d.siblings[u.parent][f.Key]
		if value == nil || !isNull(value) || value.Value != "" {
			continue
		}
		if d.hasKey(elem(f.Type), u.name) {
			return fmt.Sprintf("it belongs to %q, whose line ends with a colon; indent this line by 2 more spaces", f.Key)
		}
	}
	return ""
}

// nameAsKey is for a list of names and values that is written as a mapping.
func (d *decoder) nameAsKey(u unknownKey) string {
	if isPairs(u.in) && !slices.Contains([]string{"key", "val"}, u.name) && len(d.siblings[u.parent]) == 1 {
		d.failed[Join(u.parent, "name")], d.failed[Join(u.parent, "value")] = true, true
		return fmt.Sprintf("write name: %s, and the text after the colon as value", u.name)
	}
	return ""
}

func (d *decoder) similar(u unknownKey) string {
	for _, key := range u.keys {
		if wrong := foreignLetter(u.name, key); wrong != 0 {
			d.failed[Join(u.parent, key)] = true
			return fmt.Sprintf("the letter %c (%U) belongs to another alphabet; write %q", wrong, wrong, key)
		}
	}
	if best := similar.Closest(u.name, u.keys); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	for _, key := range u.keys {
		if strings.ReplaceAll(similar.Fold(key), "_", "") == strings.ReplaceAll(similar.Fold(u.name), "_", "") {
			return fmt.Sprintf("did you mean %q?", key)
		}
	}
	return ""
}

// foreignLetter returns the first letter of a name that is not ASCII, if the name is
// otherwise a key.
func foreignLetter(name, key string) (wrong rune) {
	a, b := []rune(name), []rune(key)
	if len(a) != len(b) {
		return 0
	}
	same := 0
	for i := range a {
		switch {
		case a[i] == b[i]:
			same++
		case a[i] < utf8.RuneSelf:
			return 0
		case wrong == 0:
			wrong = a[i]
		}
	}
	if same == 0 {
		return 0
	}
	return wrong
}

func (d *decoder) foreignWord(u unknownKey) string {
	if u.parent == "" && d.main != "" {
		return ""
	}
	return foreign(u.in, u.parent, u.name)
}

// elsewhere is for a key of another mapping: of a mapping below, or of the mapping around.
func (d *decoder) elsewhere(u unknownKey) string {
	if u.parent == "" && d.main != "" {
		return ""
	}
	var below []string
	for _, f := range u.fields {
		if d.hasKey(elem(f.Type), u.name) {
			below = append(below, f.Key)
		}
	}
	for _, key := range below {
		if d.has(u.parent, key) {
			return fmt.Sprintf("it belongs below %q", key)
		}
	}
	if len(below) == 1 {
		return fmt.Sprintf("it belongs below %q", below[0])
	}
	if len(below) > 1 {
		return fmt.Sprintf("it belongs below one of %s", strings.Join(below, ", "))
	}
	if d.around.of == nil || u.in == d.around.of {
		return ""
	}
	if slices.ContainsFunc(d.variants, func(v Variant) bool { return v.Key == u.name }) {
		return fmt.Sprintf("it is a kind of %[1]s; make it a %[1]s of its own", noun(d.around.of))
	}
	if d.hasKey(d.around.of, u.name) {
		beside, _, _ := strings.Cut(strings.TrimPrefix(u.parent, d.around.path+"."), ".")
		beside, _, _ = strings.Cut(beside, "[")
		return fmt.Sprintf("it belongs to the %s; write it next to %q", noun(d.around.of), beside)
	}
	return ""
}

// hasKey reports whether t is a mapping with a key.
func (d *decoder) hasKey(t reflect.Type, key string) bool {
	return IsMapping(t) && slices.ContainsFunc(Fields(t, d.variants), func(f Field) bool { return f.Key == key })
}

// otherKind is for a key with keys below it, or the name of a variant in another program.
func (d *decoder) otherKind(u unknownKey) string {
	if unionOf(u.in) < 0 {
		return ""
	}
	kind, advice := likelyVariant(u.name, d.variants)
	if kind == "" && u.value.Kind != yaml.MappingNode {
		return ""
	}
	kinds := "the kinds of " + noun(u.in) + "s are " + joinKeys(d.variants)
	switch {
	case kind == "":
		return kinds
	case advice != "":
		return kinds + "; " + advice
	}
	return fmt.Sprintf("did you mean %q? %s", kind, strings.ToUpper(kinds[:1])+kinds[1:])
}

// elem returns the type of the entries of a list, and other types as they are.
func elem(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Slice {
		return t.Elem()
	}
	return t
}

// A Foreign struct knows the words of other programs for its keys.
type Foreign interface{ ForeignKeys() []ForeignKey }

// A ForeignKey lists words that other programs use for a key.
type ForeignKey struct {
	Words  string // separated by spaces
	Key    string // path of the key: below the same mapping, or after "^" at the level of that mapping
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
		if slices.Contains(strings.Fields(k.Words), similar.Fold(name)) {
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
		return fmt.Sprintf("write the key %q below %q, next to %q", second, first, lastKey(parent))
	case nested:
		return fmt.Sprintf("write the key %q below %q", second, first)
	case beside:
		return fmt.Sprintf("write %q, next to %q", key, lastKey(parent))
	}
	return fmt.Sprintf("write %q", key)
}
