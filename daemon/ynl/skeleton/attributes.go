// SPDX-License-Identifier: Apache-2.0

package skeleton

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
)

// setName returns the attribute set of a policy. Its number is that of genltestctl family
// show.
func setName(policy int) string {
	if policy == genl.NoPolicy {
		return unknownSet
	}
	return fmt.Sprintf("policy-%d", policy)
}

func attrName(number uint16) string { return fmt.Sprintf("attr-%d", number) }

// findUsers returns the requests and nests that each policy describes.
func (w *writer) findUsers() map[int][]string {
	users := make(map[int][]string)
	for _, op := range w.family.Operations {
		of := w.policies.Of(op)
		if of.Do != genl.NoPolicy {
			users[of.Do] = append(users[of.Do], opName(op)+" (do)")
		}
		if of.Dump != genl.NoPolicy {
			users[of.Dump] = append(users[of.Dump], opName(op)+" (dump)")
		}
	}
	for i, policy := range w.policies.List {
		for _, a := range policy {
			if a.Nested != genl.NoPolicy {
				users[a.Nested] = append(users[a.Nested], attrName(a.Number)+" of "+setName(i))
			}
		}
	}
	return users
}

// some returns the first entries of a list, for a comment.
func some(list []string) string {
	const most = 4
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

func (w *writer) attributeSets() {
	w.linef("")
	w.linef("# TODO: the names of the sets and attributes, and the attributes of replies and events. A set is one")
	w.linef("# number space: sets whose attributes have the same meaning in the header are one set.")
	w.linef("attribute-sets:")
	for i, policy := range w.policies.List {
		if users := w.users[i]; len(users) > 0 {
			w.linef("  # For %s.", some(users))
		}
		w.linef("  - name: %s", setName(i))
		if len(policy) == 0 {
			w.linef("    attributes: []")
			continue
		}
		w.linef("    attributes:")
		for i := range policy {
			w.attribute(&policy[i])
		}
	}
	w.linef("  # TODO: the attributes of nests and messages that the kernel does not describe.")
	w.linef("  - name: %s", unknownSet)
	w.linef("    attributes: []")
}

func (w *writer) attribute(a *genl.PolicyAttr) {
	line := fmt.Sprintf("      - {name: %s, value: %d, %s}", attrName(a.Number), a.Number, strings.Join(keys(a), ", "))
	switch {
	case a.Mask != nil:
		line += fmt.Sprintf(" # TODO: flags; valid bits %#x", *a.Mask)
	case specType(a.Type) == "":
		line += " # TODO: the kernel's type is " + a.Type.String()
	}
	w.linef("%s", line)
}

// keys returns the keys of an attribute after its name and number.
func keys(a *genl.PolicyAttr) []string {
	switch a.Type {
	case unix.NL_ATTR_TYPE_NESTED:
		return []string{"type: nest", "nested-attributes: " + setName(a.Nested)}
	case unix.NL_ATTR_TYPE_NESTED_ARRAY:
		return []string{"type: indexed-array", "sub-type: nest", "nested-attributes: " + setName(a.Nested)}
	}
	typ := specType(a.Type)
	if typ == "" {
		typ = "binary"
	}
	list := []string{"type: " + typ}
	if checks := checks(a); len(checks) > 0 {
		list = append(list, "checks: {"+strings.Join(checks, ", ")+"}")
	}
	return list
}

// specType returns the type of an attribute in a specification; empty for a type that
// package ynl does not know.
func specType(t genl.AttrType) string {
	switch t {
	case unix.NL_ATTR_TYPE_NUL_STRING:
		return "string"
	case unix.NL_ATTR_TYPE_NESTED, unix.NL_ATTR_TYPE_NESTED_ARRAY:
		return "nest"
	}
	if name := t.String(); !strings.HasPrefix(name, "type-") {
		return name
	}
	return ""
}

// checks returns the limits of an attribute.
func checks(a *genl.PolicyAttr) (list []string) {
	if a.Range != nil {
		list = append(list, "min: "+limit(a.Range.Min), "max: "+limit(a.Range.Max))
	}
	if a.MaxLen != nil && a.MinLen == *a.MaxLen {
		return append(list, fmt.Sprintf("exact-len: %d", a.MinLen))
	}
	if a.MinLen > 0 {
		list = append(list, fmt.Sprintf("min-len: %d", a.MinLen))
	}
	if a.MaxLen != nil {
		list = append(list, fmt.Sprintf("max-len: %d", *a.MaxLen))
	}
	return list
}

// limit returns a limit as YAML. The kernel's schema accepts a negative number only as text.
func limit(l genl.Limit) string {
	if text := l.String(); strings.HasPrefix(text, "-") {
		return `"` + text + `"`
	}
	return l.String()
}
