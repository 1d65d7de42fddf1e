// SPDX-License-Identifier: Apache-2.0

package strict

import "gopkg.in/yaml.v3"

// A pair is a key of a mapping with its value.
type pair struct {
	key, value *yaml.Node
	merged     bool // they stand in another mapping
}

// pairs returns the keys of n with their values, each name once: those that stand in
// it, and then those that its merge key adds, which give way to them wherever it
// stands. A merge is not deep: a value is taken as a whole or not at all.
func (d *decoder) pairs(n *yaml.Node, path string) (list []pair) {
	var merge *yaml.Node
	first := make(map[string]spot)
	for i := 0; i+1 < len(n.Content) && !d.stopped; i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case !d.count(spotOf(key), path) || !d.isKey(key, path) || !d.isNew(key, d.keyPath(path, key.Value), first):
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
			first[p.key.Value] = spotOf(p.key)
			list = append(list, p)
		}
	}
	return list
}

// merged returns the keys of what a merge key of the mapping at path stands for: a
// mapping, or a list of them in which an earlier one goes before those after it.
func (d *decoder) merged(n *yaml.Node, path string, listed bool) (all []pair) {
	at, own := spotOf(n), Join(path, "<<")
	n, leave := d.enter(n, own)
	if n == nil {
		d.odd[path] = true
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
		d.odd[path] = true
		d.fail(at, own, "is %s, but must be a group of keys; write *NAME, where &NAME marks such a group", shape(n))
	}
	return all
}

func isMerge(key *yaml.Node) bool { return key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge" }
