// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/internal/similar"
	"github.com/genltestd/genltestd/internal/sorting"
)

// enclosing is the mapping with a union that contains the key being read.
type enclosing struct {
	path string
	of   reflect.Type // nil outside of such a mapping
}

// chosen is the key of a variant in a mapping.
type chosen struct {
	pair
	field *Field
}

// union reads the variant of the struct v at path. The file may contain several by mistake;
// the first in the file counts.
func (d *decoder) union(list []chosen, v reflect.Value, path string) {
	sorting.Stable(list, func(a, b chosen) int {
		return cmp.Or(cmp.Compare(a.key.Line, b.key.Line), cmp.Compare(a.key.Column, b.key.Column))
	})
	for i, c := range list {
		value := d.variant(c, path)
		if i == 0 {
			v.FieldByName(v.Type().Field(c.field.index).Tag.Get("union")).SetString(c.field.Key)
			v.Field(c.field.index).Set(value)
			continue
		}
		d.extra[path] = append(d.extra[path], Entry{c.field.Key, value.Elem(), ""})
	}
}

// variant reads the value of a variant.
func (d *decoder) variant(c chosen, parent string) reflect.Value {
	i := slices.IndexFunc(d.variants, func(v Variant) bool { return v.Key == c.field.Key })
	value := reflect.ValueOf(d.variants[i].New())
	setDefaults(value.Elem())
	path := Join(parent, c.field.Key)
	d.nullable = path
	d.tagged("", func() { d.pair(c.pair, value.Elem(), path) })
	return value
}

// noun is the word for a struct with a union.
func noun(t reflect.Type) string {
	if u, ok := implements[Union](t); ok {
		return u.Noun()
	}
	return "section"
}

func joinKeys(variants []Variant) string {
	keys := make([]string, len(variants))
	for i := range variants {
		keys[i] = variants[i].Key
	}
	return strings.Join(keys, ", ")
}

// likelyVariant returns the variant that a name most likely means, and advice if the name of
// the variant does not explain itself.
func likelyVariant(name string, variants []Variant) (key, advice string) {
	var keys []string
	for _, v := range variants {
		keys = append(keys, v.Key)
		for _, w := range v.Words {
			if slices.Contains(strings.Fields(w.Words), similar.Fold(name)) {
				return v.Key, w.Advice
			}
		}
	}
	return similar.Closest(name, keys), ""
}
