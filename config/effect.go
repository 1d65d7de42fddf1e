// SPDX-License-Identifier: Apache-2.0

package config

import (
	"reflect"
	"slices"
)

// An ineffective key changes nothing, because of the values of other keys.
type ineffective struct {
	key string
	why string // follows "has no effect", and says what to write
	// beside lists keys that already tell the reader so. When the file contains one of
	// them, the default value is accepted, so that a file can list every key.
	beside []string
}

// A struct with keys that can be ineffective implements conditional.
type conditional interface{ ineffective() []ineffective }

// checkEffect reports the ineffective keys that the file contains: their author
// expects an effect.
func (s section) checkEffect(v reflect.Value) {
	c, ok := v.Addr().Interface().(conditional)
	if !ok {
		return
	}
	for _, k := range c.ineffective() {
		tolerated := slices.ContainsFunc(k.beside, s.given) && isDefault(v, k.key)
		if s.given(k.key) && !tolerated && s.read(k.beside...) {
			s.errorf(k.key, "has no effect %s", k.why)
		}
	}
}

// isDefault reports whether the value of a key of the struct v is the default.
func isDefault(v reflect.Value, key string) bool {
	defaults := reflect.New(v.Type()).Elem()
	setDefaults(defaults)
	i := slices.Index(keysOf(v.Type()), key)
	return reflect.DeepEqual(v.Field(i).Interface(), defaults.Field(i).Interface())
}

// omits reports whether a file must not contain a key of the struct v, whatever its
// value.
func omits(v reflect.Value, key string) bool {
	c, ok := v.Addr().Interface().(conditional)
	return ok && slices.ContainsFunc(c.ineffective(), func(k ineffective) bool { return k.key == key && len(k.beside) == 0 })
}
