// SPDX-License-Identifier: Apache-2.0

package event

import (
	"hash/maphash"
	"strconv"
)

// AttributePrefix begins the names that Parts returns for attributes.
const AttributePrefix = "attr_"

// MaxAttributeName is the maximum length in bytes of the names that Parts returns for
// attributes. With a prefix of nine bytes, a name is short enough for journald.
const MaxAttributeName = 55

// maxInterned limits the memory for names. Specifications have fewer.
const maxInterned = 4096

// flatNames makes a name of letters, digits and underscores for each path in an object. A
// name differs from those of the other paths also if letters of either case are the same.
type flatNames struct {
	seed  maphash.Seed
	seen  map[uint64]struct{} // hashes of the names in this object, in small letters
	known map[string]string   // names, so that a name is allocated once
	name  []byte
}

// begin begins an object.
func (f *flatNames) begin() {
	if f.seen == nil {
		f.seed, f.seen, f.known = maphash.MakeSeed(), make(map[uint64]struct{}), make(map[string]string)
	}
	clear(f.seen)
	if len(f.known) > maxInterned {
		clear(f.known)
	}
}

// of returns the name of the walker's value, with the given end. The name of a value that
// has the same name as one before it ends with a number.
func (f *flatNames) of(w *walker, end string) string {
	f.build(w, end)
	for n := 2; !f.isNew(); n++ {
		f.build(w, end+"_"+strconv.Itoa(n))
	}
	name, ok := f.known[string(f.name)]
	if !ok {
		name = string(f.name)
		f.known[name] = name
	}
	return name
}

// build sets the name. A name that would be too long loses the names of outer objects, and
// then the end of the path.
func (f *flatNames) build(w *walker, end string) {
	limit := MaxAttributeName - len(AttributePrefix) - len(end)
	first, size := w.depth, len(w.name(w.depth))
	for first > 0 && size+1+len(w.name(first-1)) <= limit {
		first--
		size += 1 + len(w.name(first))
	}
	f.name = append(f.name[:0], AttributePrefix...)
	for i := first; i <= w.depth; i++ {
		if i > first {
			f.name = append(f.name, '_')
		}
		f.name = appendFlat(f.name, w.name(i))
	}
	f.name = append(f.name[:min(len(f.name), len(AttributePrefix)+limit)], end...)
}

// appendFlat replaces each byte that is neither an ASCII letter nor a digit by "_".
func appendFlat(dst []byte, name string) []byte {
	for i := range len(name) {
		c := name[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			c = '_'
		}
		dst = append(dst, c)
	}
	return dst
}

// isNew records the name, and returns false if it was recorded before.
func (f *flatNames) isNew() bool {
	var h maphash.Hash
	h.SetSeed(f.seed)
	for _, c := range f.name {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		_ = h.WriteByte(c) // always nil
	}
	sum := h.Sum64()
	_, known := f.seen[sum]
	f.seen[sum] = struct{}{}
	return !known
}
