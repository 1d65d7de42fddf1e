// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/genltestd/genltestd/config/strict/diagnose"
	"github.com/genltestd/genltestd/daemon/event"
)

// A skeleton contains what the kernel reports of a family. Policies and attributes are by
// their numbers.
type skeleton struct {
	name     string
	groups   []string
	commands []uint64
	policies map[uint64]map[uint64]event.Value
	policyOf map[uint64]uint64 // policy of the request, by command
}

// Skeleton returns a specification to begin with, from the kernel's own description of a
// family. Family is the message newfamily of nlctrl. Policies are the messages getpolicy,
// which describe the attributes of requests; the list may be empty. Both are decoded by the
// embedded specification. The kernel does not know names of commands and attributes, so
// the specification contains numbers in their place.
func Skeleton(family event.Object, policies []event.Object) []byte {
	s := skeleton{policies: make(map[uint64]map[uint64]event.Value), policyOf: make(map[uint64]uint64)}
	s.name = text(family, "family-name")
	groups, _ := family.Lookup("mcast-groups")
	for g := range groups.Items() {
		name, _ := g.Lookup("name")
		s.groups = append(s.groups, string(name.Bytes()))
	}
	ops, _ := family.Lookup("ops")
	for op := range ops.Items() {
		id, _ := op.Lookup("id")
		s.commands = append(s.commands, id.Uint())
	}
	for _, p := range policies {
		s.addPolicy(p)
	}
	return s.append(nil)
}

func text(o event.Object, name string) string {
	v, _ := o.Lookup(name)
	return string(v.Bytes())
}

// addPolicy adds the description of an attribute, or the number of a command's policy.
func (s *skeleton) addPolicy(message event.Object) {
	if p, ok := message.Lookup("policy"); ok {
		id, _ := p.Lookup("policy-id")
		number, _ := p.Lookup("attr-id")
		if s.policies[id.Uint()] == nil {
			s.policies[id.Uint()] = make(map[uint64]event.Value)
		}
		s.policies[id.Uint()][number.Uint()] = p
	}
	if p, ok := message.Lookup("op-policy"); ok {
		command, _ := p.Lookup("op-id")
		for _, key := range []string{"dump", "do"} {
			if id, ok := p.Lookup(key); ok {
				s.policyOf[command.Uint()] = id.Uint()
			}
		}
	}
}

func (s *skeleton) append(dst []byte) []byte {
	b := bytes.NewBuffer(dst)
	fmt.Fprintf(b, `# A specification to begin with: replace the names, and complete the types. Then add each
# notification as {name: NAME, value: NUMBER, attribute-set: SET, mcgrp: GROUP, event: {}}.
# Until then, all notifications are decoded with the set x-attribute-set.
---
name: %s
protocol: genetlink-legacy

attribute-sets:
`, diagnose.SingleQuoted(s.name))
	if len(s.policies) == 0 {
		s.policies[0] = nil
	}
	for _, id := range slices.Sorted(maps.Keys(s.policies)) {
		s.appendSet(b, id)
	}
	fmt.Fprintf(b, "\noperations:\n  x-attribute-set: %s\n  list:\n    - {name: unspec, value: 0}\n", s.set(s.first()))
	for _, c := range slices.Compact(slices.Sorted(slices.Values(s.commands))) {
		if c > 0 && c <= maxCommand {
			fmt.Fprintf(b, "    - {name: command-%d, value: %[1]d, attribute-set: %s, do: {request: {}, reply: {}}}\n", c, s.set(s.policyOf[c]))
		}
	}
	if len(s.groups) > 0 {
		b.WriteString("\nmcast-groups:\n  list:\n")
	}
	for _, g := range s.groups {
		fmt.Fprintf(b, "    - name: %s\n", diagnose.SingleQuoted(g))
	}
	return b.Bytes()
}

// first returns the policy of the first command.
func (s *skeleton) first() uint64 {
	if len(s.commands) == 0 {
		return 0
	}
	return s.policyOf[slices.Min(s.commands)]
}

// set returns the name of the attribute set of a policy, or of the first one.
func (s *skeleton) set(policy uint64) string {
	if _, ok := s.policies[policy]; !ok {
		policy = slices.Min(slices.Collect(maps.Keys(s.policies)))
	}
	return fmt.Sprintf("set-%d", policy)
}

func (s *skeleton) appendSet(b *bytes.Buffer, policy uint64) {
	fmt.Fprintf(b, "  - name: %s\n", s.set(policy))
	attributes := s.policies[policy]
	if len(attributes) == 0 {
		b.WriteString("    attributes: []\n")
		return
	}
	b.WriteString("    attributes:\n")
	for _, number := range slices.Sorted(maps.Keys(attributes)) {
		fmt.Fprintf(b, "      - {name: attribute-%d, value: %[1]d, type: %s}\n", number, s.typeOf(attributes[number]))
	}
}

// typeOf returns the type of an attribute, with the keys that belong to it.
func (s *skeleton) typeOf(a event.Value) string {
	kind, _ := a.Lookup("type")
	nested, hasNested := a.Lookup("policy-idx")
	_, isKnown := s.policies[nested.Uint()]
	switch name := string(kind.Bytes()); name {
	case "nested", "nested-array":
		if !hasNested || !isKnown {
			return "binary"
		}
		if name == "nested" {
			return "nest, nested-attributes: " + s.set(nested.Uint())
		}
		return "indexed-array, sub-type: nest, nested-attributes: " + s.set(nested.Uint())
	case "nul-string":
		return "string"
	case "invalid":
		return "unused"
	default:
		return cmp.Or(name, "binary") // a type that is not known is a number
	}
}
