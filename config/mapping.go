// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

const (
	extension = "x-"    // what the keys begin with that are the operator's own
	dropInKey = "sinks" // the one that drop-ins may have
)

// mapping reads the keys of n into the fields of the struct v.
func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.notKeys(n, v.Type(), path)
		return
	}
	keys := keysOf(v.Type())
	if v.Type() == reflect.TypeFor[Secret]() {
		d.secret = path
	}
	pairs := d.pairs(n, path)
	d.siblings[path] = make(map[string]*yaml.Node, len(pairs))
	for _, p := range pairs {
		d.siblings[path][p.key.Value] = p.value
	}
	for _, p := range pairs {
		d.key(p, v, path, keys)
	}
	delete(d.siblings, path)
}

// key reads one key.
func (d *decoder) key(p pair, v reflect.Value, parent string, keys []string) {
	name, at := p.key.Value, spotOf(p.key)
	path, i := d.keyPath(parent, name), slices.Index(keys, name)
	switch {
	case parent == "" && strings.HasPrefix(name, extension):
	case i >= 0 && parent == "" && d.main != "" && name != dropInKey:
		d.add(at, path, "is for %s alone; write it there", d.main)
	case i >= 0:
		d.keys[path], d.values[path] = at, spotOf(p.value)
		d.tag = v.Type().Field(i).Tag
		d.pair(p, v.Field(i), path)
	default:
		d.odd[parent] = true
		if parent == "" && d.main != "" {
			keys = []string{dropInKey}
		}
		d.unknown(unknownKey{pair: p, name: name, in: v.Type(), parent: parent, keys: keys})
	}
}

// pair reads the value of a key.
func (d *decoder) pair(p pair, v reflect.Value, path string) {
	if p.merged {
		d.aliases++
		defer func() { d.aliases-- }()
	}
	d.value(p.value, v, path)
}

// texts reads the keys of n, which may be any text, into the map v. One without keys
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
		path, text := join(path, pathKey(p.key.Value)), reflect.New(v.Type().Elem()).Elem()
		d.keys[path], d.values[path] = spotOf(p.key), spotOf(p.value)
		d.pair(p, text, path)
		v.SetMapIndex(reflect.ValueOf(p.key.Value), text)
	}
}

// isNew refuses a key that an earlier one has the name of.
func (d *decoder) isNew(key *yaml.Node, path string, first map[string]spot) bool {
	if before, ok := first[key.Value]; ok {
		d.fail(spotOf(key), path, "the key is there already, on line %d, column %d; leave one of them out", before.line, before.column)
		return false
	}
	first[key.Value] = spotOf(key)
	return true
}

// isKey refuses what YAML allows before a colon and we do not.
func (d *decoder) isKey(n *yaml.Node, path string) bool {
	var what string
	switch {
	case n.Kind == yaml.AliasNode:
		what = "a key is an alias; write the name of the key"
	case n.Style&yaml.TaggedStyle != 0:
		what = "a key has a YAML tag (!); write the key without it"
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" && !isMerge(n):
		what = fmt.Sprintf("a key is %s; write the name of a key", describe(n))
	default:
		return !d.strayInKey(n, path)
	}
	d.odd[path] = true
	d.add(spotOf(n), path, "%s", what)
	return false
}

var plainKey = regexp.MustCompile(`^([A-Za-z0-9_-]{1,40}|<<)$`)

// keyPath is the path of a key. What is no key of a secret is not named: it may be the
// secret, without its place.
func (d *decoder) keyPath(parent, key string) string {
	if parent == d.secret && parent != "" && !slices.Contains(keysOf(reflect.TypeFor[Secret]()), key) {
		return parent
	}
	return join(parent, pathKey(key))
}

// pathKey is a key as a part of a path, which an odd key must not imitate.
func pathKey(key string) string {
	if plainKey.MatchString(key) {
		return key
	}
	return quote(key)
}

// suggest names the key that was likely meant, or all there are.
func suggest(name string, keys []string) string {
	best := closest(name, keys)
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(keys) == 0:
		return "no keys are allowed here"
	}
	return "the keys here are " + strings.Join(keys, ", ")
}

// closest is the one of the words that was likely meant, or empty.
func closest(name string, words []string) string {
	best, least := "", 3 // more than two typing errors is another word
	for _, word := range words {
		if n := distance(fold(name), fold(word), least); n < least && n < len(word)-1 {
			best, least = word, n
		}
	}
	return best
}

// distance is how many characters must be changed, put in or taken out to make
// a into b, or enough if it is no less.
func distance(a, b string, enough int) int {
	if max(len(a)-len(b), len(b)-len(a)) >= enough {
		return enough
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
