// SPDX-License-Identifier: Apache-2.0

package event

// maxFlat limits how many names a path has. Objects within the last one are JSON.
const maxFlat = 8

// A walker visits the values of an object and of the objects within it, in their order.
// An empty object is a value.
type walker struct {
	nodes []node
	at    int32 // of the next value
	value Value

	depth int
	open  [maxFlat]opened // the objects around the value, from the outermost on
}

type opened struct {
	name string
	end  int32 // of the object in nodes
}

// walk returns a walker before the first value of o.
func walk(o Object) walker { return walker{nodes: o.nodes, at: 1} }

// next advances to the next value, and returns false after the last one.
func (w *walker) next() bool {
	for w.at < int32(len(w.nodes)) {
		for w.depth > 0 && w.at >= w.open[w.depth-1].end {
			w.depth--
		}
		n := &w.nodes[w.at]
		if n.kind == ObjectValue && n.size > 1 && w.depth < maxFlat-1 {
			w.open[w.depth] = opened{n.name, w.at + n.size}
			w.depth++
			w.at++
			continue
		}
		w.value = Value{w.nodes[w.at : w.at+n.size]}
		w.at += n.size
		return true
	}
	return false
}

// name returns element i of the path of the value.
func (w *walker) name(i int) string {
	if i == w.depth {
		return w.value.nodes[0].name
	}
	return w.open[i].name
}

// appendPath appends the names of the objects around the value and its own, with dots
// between them, without control characters.
func (w *walker) appendPath(dst []byte) []byte {
	for i := range w.depth + 1 {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = AppendVisible(dst, w.name(i))
	}
	return dst
}
