// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"fmt"
	"reflect"
	"slices"
)

// check applies tags and rules to v and all within it. A value that failed to decode
// already has its fault.
func (r *Report) check(v reflect.Value, path string) {
	if r.stopped || r.failed[path] {
		return
	}
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			r.check(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Struct:
		s := Section{r, path}
		for _, e := range append(Entries(v), r.extra[path]...) {
			s.checkTags(e)
			r.check(e.Value, Join(path, e.Key))
		}
		if c, ok := v.Addr().Interface().(Checker); ok {
			c.Check(s)
		}
		s.checkUnion(v)
		s.checkEffect(v)
	}
}

func (s Section) checkTags(e Entry) {
	v, tag := e.Value, e.Tag
	if tag.Get("required") == "true" && v.IsZero() && !s.FaultyWithin(e.Key) {
		state := "is missing"
		if s.Given(e.Key) {
			state = "is empty"
		}
		s.Errorf(e.Key, "%s; give one, such as %q", state, tag.Get("example"))
	}
	if err := recheck(v, tag); err != nil {
		s.Errorf(e.Key, "%v", err)
	}
	least, hasLeast := tag.Lookup("min")
	most, hasMost := tag.Lookup("max")
	tooSmall := hasLeast && v.Int() < limit(v, least).Int()
	tooLarge := hasMost && v.Int() > limit(v, most).Int()
	switch {
	case !tooSmall && !tooLarge:
	case hasMost:
		s.Errorf(e.Key, "%v is out of range; write %s to %s", v, least, most)
	default:
		s.Errorf(e.Key, "%v is too little; write %s or more", v, least)
	}
}

// recheck decodes the text of a value again: a value that a program has set may not be
// valid.
func recheck(v reflect.Value, tag reflect.StructTag) error {
	if !isText(v) && tag.Get("oneof") == "" {
		return nil
	}
	return setText(reflect.New(v.Type()).Elem(), tag, fmt.Sprint(v))
}

// checkUnion reports a union without a variant, and one with several.
func (s Section) checkUnion(v reflect.Value) {
	i := unionOf(v.Type())
	if i < 0 {
		return
	}
	for _, e := range s.r.extra[s.path] {
		first := v.FieldByName(v.Type().Field(i).Tag.Get("union")).String()
		s.KeyErrorf(e.Key, "is a second kind in addition to %q%s; make it a %s of its own", first, s.Line(first), noun(v.Type()))
	}
	if !v.Field(i).IsNil() || s.r.hasUnknownKey[s.path] {
		return
	}
	s.r.add(s.r.values[s.path], s.path, "has no kind; add one of %s", joinKeys(s.r.variants))
}

// checkEffect reports the ineffective keys that the file contains: their author
// expects an effect.
func (s Section) checkEffect(v reflect.Value) {
	c, ok := v.Addr().Interface().(Conditional)
	if !ok {
		return
	}
	for _, k := range c.Ineffective() {
		tolerated := slices.ContainsFunc(k.Beside, s.Given) && isDefault(v, k.Key)
		if s.Given(k.Key) && !tolerated && s.Read(k.Beside...) {
			s.Errorf(k.Key, "has no effect %s", k.Why)
		}
	}
}

// isDefault reports whether the value of a key of the struct v is the default.
func isDefault(v reflect.Value, key string) bool {
	defaults := reflect.New(v.Type()).Elem()
	setDefaults(defaults)
	return reflect.DeepEqual(valueAt(v, key), valueAt(defaults, key))
}

func valueAt(v reflect.Value, key string) any {
	for _, e := range Entries(v) {
		if e.Key == key {
			return e.Value.Interface()
		}
	}
	return nil
}

// omits reports whether a file must not contain a key of the struct v with any value.
func omits(v reflect.Value, key string) bool {
	c, ok := v.Addr().Interface().(Conditional)
	return ok && slices.ContainsFunc(c.Ineffective(), func(k Ineffective) bool { return k.Key == key && len(k.Beside) == 0 })
}
