// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/genltestd/genltestd/internal/similar"
)

// extension is the prefix of keys at the top of the file that belong to its author.
const extension = "x-"

// mapping reads the keys of n into the fields of the struct v.
func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.notKeys(n, v.Type(), path)
		return
	}
	if isSensitive(v.Type()) {
		d.secret, d.secretKeys = path, keysOf(Fields(v.Type(), nil))
	}
	if unionOf(v.Type()) >= 0 {
		defer func(before enclosing) { d.around = before }(d.around)
		d.around = enclosing{path, v.Type()}
	}
	pairs := d.pairs(n, path)
	d.siblings[path] = make(map[string]*yaml.Node, len(pairs))
	for _, p := range pairs {
		d.siblings[path][p.key.Value] = p.value
	}
	fields := Fields(v.Type(), d.variants)
	var variants []chosen
	for _, p := range pairs {
		if f := d.key(p, v, path, fields); f != nil {
			variants = append(variants, chosen{p, f})
		}
	}
	d.union(variants, v, path)
	delete(d.siblings, path)
}

// key reads one key. It returns the field of a variant, which it does not read.
func (d *decoder) key(p pair, v reflect.Value, parent string, fields []Field) *Field {
	name, at := p.key.Value, positionOf(p.key)
	path, i := d.keyPath(parent, name), slices.IndexFunc(fields, func(f Field) bool { return f.Key == name })
	switch {
	case parent == "" && strings.HasPrefix(name, extension):
	case i >= 0 && parent == "" && d.main != "" && name != d.only:
		d.add(at, path, "is for %s alone; write it there", d.main)
	case i >= 0:
		d.keys[path], d.values[path] = at, positionOf(p.value)
		if fields[i].Variant {
			return &fields[i]
		}
		d.tagged(fields[i].Tag, func() { d.pair(p, v.Field(fields[i].index), path) })
	default:
		d.hasUnknownKey[parent] = true
		keys := keysOf(fields)
		if parent == "" && d.main != "" {
			keys = []string{d.only}
		}
		d.unknown(unknownKey{pair: p, name: name, in: v.Type(), parent: parent, keys: keys, fields: fields})
	}
	return nil
}

// tagged calls read with the tag of the field that it reads.
func (d *decoder) tagged(tag reflect.StructTag, read func()) {
	defer func(before reflect.StructTag) { d.tag = before }(d.tag)
	d.tag = tag
	read()
}

// pair reads the value of a key.
func (d *decoder) pair(p pair, v reflect.Value, path string) {
	if p.merged {
		d.aliases++
		defer func() { d.aliases-- }()
	}
	d.value(p.value, v, path)
}

// texts reads the keys of n, which may be any text, into the map v. A map without keys
// stays nil.
func (d *decoder) texts(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.notKeys(n, v.Type(), path)
		return
	}
	for _, p := range d.pairs(n, path) {
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		path, text := Join(path, PathKey(p.key.Value)), reflect.New(v.Type().Elem()).Elem()
		d.keys[path], d.values[path] = positionOf(p.key), positionOf(p.value)
		d.pair(p, text, path)
		v.SetMapIndex(reflect.ValueOf(p.key.Value), text)
	}
}

// isNew rejects a key that the mapping already contains.
func (d *decoder) isNew(key *yaml.Node, path string, first map[string]position) bool {
	if before, ok := first[key.Value]; ok {
		d.fail(positionOf(key), path, "the key is already on line %d, column %d; remove one of them", before.line, before.column)
		return false
	}
	first[key.Value] = positionOf(key)
	return true
}

// isDoubled reports whether a second { directly precedes the one of n.
func (d *decoder) isDoubled(n *yaml.Node) bool {
	before, _ := d.lineAround(positionOf(n))
	return n.Style&yaml.FlowStyle != 0 && strings.HasSuffix(before, "{")
}

// isKey rejects keys that only YAML allows, such as lists and numbers.
func (d *decoder) isKey(n *yaml.Node, path string) bool {
	var what string
	switch {
	case n.Kind == yaml.AliasNode:
		what = "a key is an alias; write the name of the key"
	case n.Style&yaml.TaggedStyle != 0:
		what = "a key has a YAML tag (!); write the key without it"
	case n.Kind == yaml.MappingNode && d.isDoubled(n):
		d.failed[path] = true
		d.fail(position{positionOf(n).line, positionOf(n).column - 1}, path,
			`an unquoted value cannot begin with "{{"; put the whole value into single quotes`)
		return false
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" && !isMerge(n):
		what = fmt.Sprintf("a key is %s; write the name of a key", describe(n))
	default:
		return !d.strayInKey(n, path)
	}
	d.hasUnknownKey[path] = true
	d.add(positionOf(n), path, "%s", what)
	return false
}

var plainKey = regexp.MustCompile(`^([A-Za-z0-9_-]{1,40}|<<)$`)

// keyPath returns the path of a key. It does not contain an unknown key of a secret, which
// may be the secret itself.
func (d *decoder) keyPath(parent, key string) string {
	if parent == d.secret && parent != "" && !slices.Contains(d.secretKeys, key) {
		return parent
	}
	return Join(parent, PathKey(key))
}

// PathKey returns a key as a part of a path, which an unknown key must not imitate.
func PathKey(key string) string {
	if plainKey.MatchString(key) {
		return key
	}
	return Quote(key)
}

// suggest names the most similar key, or all keys.
func suggest(name string, keys []string) string {
	best := similar.Closest(name, keys)
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(keys) == 0:
		return "no keys are allowed here"
	}
	return "the keys here are " + strings.Join(keys, ", ")
}

// A pair is a key of a mapping with its value.
type pair struct {
	key, value *yaml.Node
	merged     bool // they belong to another mapping
}

// pairs returns the keys of n with their values, each name once: its own keys, and then
// those that its merge key adds. An own key has precedence, also if it follows the merge
// key. A merge is not deep: a value is merged as a whole.
func (d *decoder) pairs(n *yaml.Node, path string) (list []pair) {
	var merge *yaml.Node
	first := make(map[string]position)
	for i := 0; i+1 < len(n.Content) && !d.stopped; i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case !d.count(positionOf(key), path) || !d.isKey(key, path) || !d.isNew(key, d.keyPath(path, key.Value), first):
		case isMerge(key):
			merge = value
		default:
			list = append(list, pair{key: key, value: value})
		}
	}
	if merge == nil {
		return list
	}
	for _, p := range d.merged(merge, path, false) {
		if _, ok := first[p.key.Value]; !ok {
			first[p.key.Value] = positionOf(p.key)
			list = append(list, p)
		}
	}
	return list
}

// merged returns the keys that a merge key of the mapping at path refers to: those of a
// mapping, or of a list of mappings, in which an earlier mapping has precedence.
func (d *decoder) merged(n *yaml.Node, path string, listed bool) (all []pair) {
	at, own := positionOf(n), Join(path, "<<")
	n, leave := d.enter(n, own)
	if n == nil {
		d.hasUnknownKey[path] = true
		return nil
	}
	defer leave()
	switch {
	case n.Kind == yaml.MappingNode:
		all = d.pairs(n, path)
		for i := range all {
			all[i].merged = true
		}
	case n.Kind == yaml.SequenceNode && !listed:
		for _, entry := range n.Content {
			all = append(all, d.merged(entry, path, true)...)
		}
	default:
		d.hasUnknownKey[path] = true
		d.fail(at, own, "is %s, but must be a group of keys; write *NAME, where &NAME marks such a group", shape(n))
	}
	return all
}

func isMerge(key *yaml.Node) bool { return key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge" }
