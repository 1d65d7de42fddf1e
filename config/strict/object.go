// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"fmt"
	"reflect"
	"strconv"

	"gopkg.in/yaml.v3"
)

// An Object contains keys that no struct defines, in the order of the file.
type Object []Member

// A Member is a key of an Object. The value is a string, a bool, an int64, a uint64 for a
// number above the range of int64, an Object, or a []any of such values.
type Member struct {
	Key   string
	Value any
}

// maxObjectDepth limits how deep objects and lists are nested.
const maxObjectDepth = 32

// object reads the keys of n. On a fault it returns the keys before it.
func (d *decoder) object(n *yaml.Node, path string, depth int) (o Object) {
	if n.Kind != yaml.MappingNode {
		d.fail(positionOf(n), path, "is %s, but must have keys and values, such as {name: eth0}", describe(n))
		return nil
	}
	for _, p := range d.pairs(n, path) {
		path := Join(path, PathKey(p.key.Value))
		d.keys[path], d.values[path] = positionOf(p.key), positionOf(p.value)
		if v := d.member(p, path, depth+1); v != nil {
			o = append(o, Member{p.key.Value, v})
		}
	}
	return o
}

// member reads the value of a key, which counts as that of an alias if it is merged.
func (d *decoder) member(p pair, path string, depth int) any {
	if p.merged {
		d.aliases++
		defer func() { d.aliases-- }()
	}
	return d.any(p.value, path, depth)
}

// any reads a value of any type. It returns nil for a fault.
func (d *decoder) any(n *yaml.Node, path string, depth int) (value any) {
	n, leave := d.enter(n, path)
	if n == nil {
		return nil
	}
	defer leave()
	switch {
	case depth > maxObjectDepth:
		d.fail(positionOf(n), path, "is nested more than %d times; write fewer levels", maxObjectDepth)
		return nil
	case n.Kind == yaml.MappingNode:
		return d.object(n, path, depth)
	case n.Kind == yaml.SequenceNode:
		list := []any{}
		for i, entry := range n.Content {
			path := fmt.Sprintf("%s[%d]", path, i)
			d.values[path] = positionOf(entry)
			if v := d.any(entry, path, depth+1); v != nil {
				list = append(list, v)
			}
		}
		return list
	}
	return d.single(n, path)
}

// single reads a text, a number or a boolean.
func (d *decoder) single(n *yaml.Node, path string) any {
	if n.Style != 0 {
		return n.Value
	}
	switch n.ShortTag() {
	case "!!str":
		if !IsOldBool(n.Value) {
			return n.Value
		}
	case "!!bool":
		if b, err := strconv.ParseBool(n.Value); err == nil && (n.Value == "true" || n.Value == "false") {
			return b
		}
	case "!!int":
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return i
		}
		if u, err := strconv.ParseUint(n.Value, 10, 64); err == nil {
			return u
		}
	}
	d.fail(positionOf(n), path, "is %s, but must be a whole number, true, false or a text; quote a text", describe(n))
	return nil
}

var objectType = reflect.TypeFor[Object]()
