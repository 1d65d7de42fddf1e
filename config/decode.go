// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxExpanded is how many values the aliases and merge keys of all files may stand
// for. A YAML bomb wants billions; a hundred sinks that share their settings, hundreds.
const maxExpanded = 10000

// A decoder reads a node tree into the structs of this package.
//
// It is here because yaml.v3's KnownFields gives no columns, is lost within a
// custom unmarshaler, and takes 010, yes and a second document as they come.
type decoder struct {
	*report
	open    map[*yaml.Node]bool // from the root down to the current node
	aliases int                 // how many of these were reached by an alias or a merge key
	secret  string              // path of the last one that is a mapping

	siblings map[string]map[string]*yaml.Node // the values of the open mappings, by path and key
	tag      reflect.StructTag                // of the field that is being read
}

func newDecoder(r *report) *decoder {
	return &decoder{report: r, open: make(map[*yaml.Node]bool), siblings: make(map[string]map[string]*yaml.Node)}
}

// value reads n into v. On a fault v keeps its default.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	if n, leave := d.enter(n, path); n != nil {
		defer leave()
		d.read(n, v, path)
	}
}

// enter follows an alias, and notes that the node is being read until leave is called.
// It returns nil for one that cannot be read.
func (d *decoder) enter(n *yaml.Node, path string) (_ *yaml.Node, leave func()) {
	at, aliases := spotOf(n), d.aliases
	if n.Kind == yaml.AliasNode {
		n = n.Alias
		d.aliases++
	}
	switch {
	case d.open[n]:
		d.fail(at, path, "the alias stands for a part of itself; write the value out")
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
func (d *decoder) count(at spot, path string) bool {
	if d.aliases > 0 {
		d.expanded++
	}
	if d.expanded > maxExpanded {
		d.fail(at, path, "aliases and merge keys stand for more than %d values; write less with them", maxExpanded)
		d.stopped = true
		return false
	}
	return true
}

func (d *decoder) read(n *yaml.Node, v reflect.Value, path string) {
	d.suspect(n, v.Type(), path)
	switch {
	case d.strayInValue(n, v.Type(), path):
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		setDefaults(v.Elem())
		if isNull(n) && !hasRequired(v.Type().Elem()) {
			return
		}
		d.read(n, v.Elem(), path)
	case isNull(n):
		d.noValue(n, v.Type(), path)
	case isEmptyBlock(n):
		d.emptyBlock(n, path)
	case isText(v) && !hasForms(n, v):
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

// keySpot is for a value that is not there: the text that is, is its key.
func (d *decoder) keySpot(path string, n *yaml.Node) spot {
	if at, ok := d.keys[path]; ok {
		return at
	}
	return spotOf(n)
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.notList(n, v.Type(), path)
		return
	}
	v.SetZero() // one without entries stays nil
	if len(n.Content) > 0 {
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	}
	for i, entry := range n.Content {
		if d.stopped {
			return
		}
		path := fmt.Sprintf("%s[%d]", path, i)
		d.values[path] = spotOf(entry)
		if v.Index(i).Kind() == reflect.Struct {
			setDefaults(v.Index(i))
		}
		d.value(entry, v.Index(i), path)
	}
}

// text reads what our own types parse. How YAML would type the text does not
// matter to them: the file mode 0640 means the same with quotes and without.
func (d *decoder) text(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.notSingle(n, v.Type(), path)
		return
	}
	if err := setText(v, n.Value); err != nil {
		d.fail(spotOf(n), path, "%v", valueError(v, d.tag, err))
	}
}

// plain reads strings, numbers and booleans, which YAML must not take for each
// other.
func (d *decoder) plain(n *yaml.Node, v reflect.Value, path string) {
	at := spotOf(n)
	switch {
	case n.Kind != yaml.ScalarNode:
		d.notSingle(n, v.Type(), path)
	case v.Kind() == reflect.String && isAmbiguous(n):
		v.SetString(n.Value)
		d.unquoted[path] = d.later(at, path, "is %s, but must be text; if it is meant, quote it: %s", describe(n), quote(n.Value))
	case v.Kind() == reflect.Bool && n.Value != "true" && n.Value != "false" || v.Kind() == reflect.Bool && n.Style != 0:
		d.fail(at, path, "is %s, but must be true or false; %s", describe(n), boolAdvice(n))
	case v.Kind() == reflect.Int && n.ShortTag() == "!!str":
		d.fail(at, path, "is %s, but must be a number; %s", describe(n), d.intAdvice(n, v))
	default:
		if err := setText(v, n.Value); err != nil {
			d.fail(at, path, "%v", err)
		}
		if v.Kind() == reflect.String {
			d.remember(path, n)
		}
	}
}

func boolAdvice(n *yaml.Node) string {
	switch {
	case isOn(n.Value) || n.Value == "1":
		return "write true without quotes"
	case isOff(n.Value) || n.Value == "0":
		return "write false without quotes"
	}
	return "write one of these without quotes"
}

// intAdvice offers the number itself, if it is one in quotes or with separators.
func (d *decoder) intAdvice(n *yaml.Node, v reflect.Value) string {
	digits := strings.NewReplacer("_", "", ",", "", " ", "").Replace(n.Value)
	switch {
	case isOff(n.Value) && within(v, d.tag, "0"):
		return "write 0"
	case within(v, d.tag, digits):
		return "write " + digits + " without quotes"
	case d.tag.Get("min") != "":
		return "write " + limits(d.tag)
	}
	return "write decimal digits without quotes"
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// hasForms says whether n is the longer form of a value that may also be a text: a
// mapping, as with Secret.
func hasForms(n *yaml.Node, v reflect.Value) bool {
	return n.Kind == yaml.MappingNode && v.Kind() == reflect.Struct
}

func isText(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

// isAmbiguous says whether some YAML reader takes a plain scalar for something
// else than text. For yaml.v3 no and off are text, for YAML 1.1 they are false.
func isAmbiguous(n *yaml.Node) bool {
	return n.ShortTag() != "!!str" || n.Style == 0 && isOldBool(n.Value)
}

func isOldBool(s string) bool {
	switch strings.ToLower(s) {
	case "y", "yes", "on", "n", "no", "off":
		return true
	}
	return false
}

// shape says what a node is without repeating it: it may hold what is meant for a key
// below, such as a secret.
func shape(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && !isNull(n) {
		return "a single value"
	}
	return describe(n)
}

// describe says what a node is, as the subject of "is".
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a group of keys"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	case n.Style == 0 && isOldBool(n.Value), n.ShortTag() == "!!bool":
		return "the boolean " + shown(n)
	case n.ShortTag() == "!!int", n.ShortTag() == "!!float":
		return "the number " + shown(n)
	case n.ShortTag() == "!!timestamp":
		return "the date " + shown(n)
	}
	return "the text " + quote(n.Value)
}

// shown is for scalars that YAML has recognised, so they are harmless.
func shown(n *yaml.Node) string { return shorten(n.Value) }
