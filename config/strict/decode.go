// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"fmt"
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxExpanded limits the values that the aliases and merge keys of all files expand to. A
// YAML bomb needs billions; a hundred sections with shared settings need hundreds.
const maxExpanded = 10000

// A decoder reads a node tree into tagged structs.
//
// The decoder of yaml.v3 does not suffice: its KnownFields reports no columns and has no
// effect within a custom unmarshaler, and it accepts 010, yes and a second document.
type decoder struct {
	*Report
	open    map[*yaml.Node]bool // from the root down to the current node
	aliases int                 // number of these that an alias or a merge key has reached
	secret  string              // path of the last secret that is a mapping

	secretKeys []string // of the secret

	siblings map[string]map[string]*yaml.Node // the values of the open mappings, by path and key
	tag      reflect.StructTag                // of the field that is being read
	nullable string                           // path of a variant, whose mapping may be empty
	around   enclosing                        // the innermost open mapping with a union
}

func newDecoder(r *Report) *decoder {
	return &decoder{Report: r, open: make(map[*yaml.Node]bool), siblings: make(map[string]map[string]*yaml.Node)}
}

// value reads n into v. On a fault v keeps its default.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	if n, leave := d.enter(n, path); n != nil {
		defer leave()
		d.read(n, v, path)
	}
}

// enter follows an alias, and notes that the node is being read until leave is called.
// It returns nil for a node that cannot be read.
func (d *decoder) enter(n *yaml.Node, path string) (_ *yaml.Node, leave func()) {
	at, aliases := positionOf(n), d.aliases
	if n.Kind == yaml.AliasNode {
		n = n.Alias
		d.aliases++
	}
	switch {
	case d.open[n]:
		d.fail(at, path, "the alias contains itself; write the value instead of the alias")
	case d.stopped || !d.count(at, path):
	case n.Style&yaml.TaggedStyle != 0:
		d.reserved(n, path)
	default:
		d.open[n] = true
		return n, func() { delete(d.open, n); d.aliases = aliases }
	}
	d.aliases = aliases
	return nil, nil
}

// count bounds the work that aliases and merge keys can cause.
func (d *decoder) count(at position, path string) bool {
	if d.aliases > 0 {
		d.expanded++
	}
	if d.expanded > maxExpanded {
		d.fail(at, path, "aliases and merge keys expand to more than %d values; use fewer of them", maxExpanded)
		d.stopped = true
		return false
	}
	return true
}

func (d *decoder) read(n *yaml.Node, v reflect.Value, path string) {
	if v.Type() == objectType {
		v.Set(reflect.ValueOf(d.object(n, path, 0)))
		return
	}
	d.suspect(n, v.Type(), path)
	switch {
	case d.strayInValue(n, v.Type(), path):
	case isNull(n) && path != "" && path == d.nullable && !HasRequired(v.Type()):
	case isNull(n) && d.tag.Get("null") == "true":
	case isNull(n):
		d.noValue(n, v.Type(), path)
	case isEmptyBlock(n):
		d.emptyBlock(n, path)
	case isWord(v, d.tag) && !isLongForm(n, v):
		d.text(n, v, path)
	case v.Kind() == reflect.Struct:
		d.mapping(n, v, path)
	case v.Kind() == reflect.Map:
		d.texts(n, v, path)
	case v.Kind() == reflect.Slice:
		d.list(n, v, path)
	default:
		d.plain(n, v, path)
	}
}

// keyPosition returns the place of the key for a value that is missing.
func (d *decoder) keyPosition(path string, n *yaml.Node) position {
	if at, ok := d.keys[path]; ok {
		return at
	}
	return positionOf(n)
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.notList(n, v.Type(), path)
		return
	}
	v.SetZero() // a list without entries stays nil
	if len(n.Content) > 0 {
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	}
	for i, entry := range n.Content {
		if d.stopped {
			return
		}
		path := fmt.Sprintf("%s[%d]", path, i)
		d.values[path] = positionOf(entry)
		if v.Index(i).Kind() == reflect.Struct {
			setDefaults(v.Index(i))
		}
		d.value(entry, v.Index(i), path)
	}
}

// text reads a value that parses its own text, or one of a list of words. The type that
// YAML derives from the text is ignored: the file mode 0640 means the same in quotes.
func (d *decoder) text(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.notSingle(n, v.Type(), path)
		return
	}
	if err := setText(v, d.tag, n.Value); err != nil {
		d.fail(positionOf(n), path, "%v", valueError(v, d.tag, err))
	}
}

// plain reads strings, numbers and booleans, which YAML must not confuse.
func (d *decoder) plain(n *yaml.Node, v reflect.Value, path string) {
	at := positionOf(n)
	switch {
	case n.Kind != yaml.ScalarNode:
		d.notSingle(n, v.Type(), path)
	case v.Kind() == reflect.String && isAmbiguous(n):
		v.SetString(n.Value)
		d.unquoted[path] = d.newError(at, path, "is %s, but must be text; if this is intended, quote it: %s", describe(n), Quote(n.Value))
	case v.Kind() == reflect.Bool && n.Value != "true" && n.Value != "false" || v.Kind() == reflect.Bool && n.Style != 0:
		d.fail(at, path, "is %s, but must be true or false; %s", describe(n), boolAdvice(n))
	case v.Kind() == reflect.Int && n.ShortTag() == "!!str":
		d.fail(at, path, "is %s, but must be a number; %s", describe(n), d.intAdvice(n, v))
	default:
		if err := setText(v, d.tag, n.Value); err != nil {
			d.fail(at, path, "%v", err)
		}
		if v.Kind() == reflect.String {
			d.remember(path, n)
		}
	}
}

func boolAdvice(n *yaml.Node) string {
	switch {
	case IsOn(n.Value) || n.Value == "1":
		return "write true without quotes"
	case IsOff(n.Value) || n.Value == "0":
		return "write false without quotes"
	}
	return "write one of these without quotes"
}

// intAdvice offers the number itself, if the text is a number in quotes or with separators.
func (d *decoder) intAdvice(n *yaml.Node, v reflect.Value) string {
	digits := strings.NewReplacer("_", "", ",", "", " ", "").Replace(n.Value)
	switch {
	case IsOff(n.Value) && within(v, d.tag, "0"):
		return "write 0"
	case within(v, d.tag, digits):
		return "write " + digits + " without quotes"
	case d.tag.Get("min") != "":
		return "write " + limits(d.tag)
	}
	return "write decimal digits without quotes"
}

// isWord reports whether v parses its own text, or accepts a list of words.
func isWord(v reflect.Value, tag reflect.StructTag) bool {
	return isText(v) || v.Kind() == reflect.String && tag.Get("oneof") != ""
}
