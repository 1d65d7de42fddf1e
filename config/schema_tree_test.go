// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// configWith returns a configuration with the assignments and the required keys.
func configWith(all ...assignment) string {
	root := make(tree)
	for _, a := range all {
		root.set(reflect.TypeFor[Config](), strings.Split(a.path, "."), a.value)
	}
	if list, ok := root["sinks"].([]tree); ok && !slices.ContainsFunc(kindNames(), list[0].has) {
		list[0]["stdout"] = ""
	}
	return root.String()
}

// A tree is a mapping of YAML values: each a text, a tree or a list of one tree.
type tree map[string]any

// treeOf returns a tree with the required keys of t.
func treeOf(t reflect.Type) tree {
	all := make(tree)
	if t.Kind() != reflect.Struct {
		return all
	}
	for _, f := range keysOf(t) {
		key, text := f.Key, f.Tag.Get("example")
		switch {
		case f.Tag.Get("required") != "true":
		case f.Type.Kind() == reflect.Slice:
			all[key] = "[" + text + "]"
		default:
			all[key] = text
		}
	}
	return all
}

// set sets the value at a path below the type t. Without a value, it sets the
// required keys there.
func (m tree) set(t reflect.Type, path []string, value string) {
	key, isEntry := strings.CutSuffix(path[0], "[]")
	if len(path) == 1 && (value != "" || fieldType(t, key).Kind() != reflect.Struct) {
		m[key] = value
		if isEntry {
			m[key] = "[" + value + "]"
		}
		return
	}
	within := fieldType(t, key)
	child := m.child(key, within)
	if len(path) > 1 {
		child.set(within, path[1:], value)
	}
	m[key] = child
	if isEntry {
		m[key] = []tree{child}
	}
}

// child returns the tree at a key. If it does not exist, it returns a new tree.
func (m tree) child(key string, t reflect.Type) tree {
	switch v := m[key].(type) {
	case tree:
		return v
	case []tree:
		return v[0]
	}
	return treeOf(t)
}

func (m tree) has(key string) bool { return m[key] != nil }

// fieldType returns the type of the key of t, or of the entries of a list; string for an
// unknown key.
func fieldType(t reflect.Type, key string) reflect.Type {
	if t.Kind() != reflect.Struct {
		return reflect.TypeFor[string]()
	}
	for _, f := range keysOf(t) {
		if f.Key != key {
			continue
		}
		if f.Type.Kind() == reflect.Slice {
			return f.Type.Elem()
		}
		return f.Type
	}
	return reflect.TypeFor[string]()
}

func (m tree) String() string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, fmt.Sprintf("%s: %v", key, m[key]))
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}
