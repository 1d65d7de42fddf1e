// SPDX-License-Identifier: Apache-2.0

// Package skeleton writes the beginning of a YNL specification from the facts that the
// running kernel reports about a family.
//
// The kernel reports numbers, types and limits, but not names. It checks only requests, so
// the attributes of replies and events are missing. Lines with TODO mark the facts that a
// person must add. Package ynl parses each skeleton without an error.
package skeleton

import (
	"fmt"
	"strings"

	"github.com/genltestd/genltestd/daemon/genl"
)

// unknownSet is the name of the attribute set for nests and operations without a policy.
const unknownSet = "unknown"

// maxHeader is the largest header that package ynl accepts, in bytes.
const maxHeader = 1 << 16

// A writer collects the text.
type writer struct {
	strings.Builder
	family   *genl.FamilyInfo
	policies *genl.Policies
	reported bool             // the kernel reports policies
	groups   []string         // names of the multicast groups in the specification
	users    map[int][]string // by policy: the requests and nests that it describes
}

// Spec returns the skeleton for a family. Policies are nil if the kernel does not report
// them.
func Spec(family genl.FamilyInfo, policies *genl.Policies) []byte {
	w := &writer{family: &family, policies: policies, reported: policies != nil}
	if policies == nil {
		w.policies = &genl.Policies{}
	}
	w.groups = groupNames(family.Groups)
	w.users = w.findUsers()
	w.head()
	w.definitions()
	w.attributeSets()
	w.operations()
	w.mcastGroups()
	return []byte(w.String())
}

func (w *writer) linef(format string, values ...any) { fmt.Fprintf(w, format+"\n", values...) }

func (w *writer) head() {
	w.linef("# SPDX-License-Identifier: TODO") // the kernel's tools require this line
	w.linef("#")
	w.linef("# A skeleton of a specification for the generic netlink family %s.", comment(w.family.Name))
	w.linef("# The kernel reports numbers, types and limits. Lines with TODO need facts that it does not")
	w.linef("# report: names, byte orders, and the messages and attributes that only the kernel sends.")
	w.linef("# They are in the header of the family.")
	if !w.reported {
		w.linef("# TODO: all attributes. This kernel does not report them; Linux 5.8 or newer does.")
	}
	w.linef("---")
	name := kernelName(w.family.Name)
	if name != w.family.Name {
		w.linef("# TODO: the name in the kernel is %s. Specifications cannot contain it.", comment(w.family.Name))
	}
	w.linef("name: %s", scalar(name))
	w.linef("protocol: genetlink-legacy")
	if w.family.Version > 0 {
		w.linef("version: %d", w.family.Version)
	}
	w.linef(`doc: "TODO: the purpose of the family."`)
}

// hasHeader reports whether the specification defines the header.
func (w *writer) hasHeader() bool {
	return w.family.HeaderBytes > 0 && w.family.HeaderBytes <= maxHeader
}

func (w *writer) definitions() {
	w.linef("")
	w.linef("# TODO: the enums, flags and structs of the family.")
	if !w.hasHeader() {
		w.linef("definitions: []")
		return
	}
	w.linef("definitions:")
	w.linef("  # TODO: the members of the header that each message has before its attributes.")
	w.linef("  - name: header")
	w.linef("    type: struct")
	w.linef("    members:")
	w.linef("      - {name: header-bytes, type: binary, len: %d}", w.family.HeaderBytes)
}

func (w *writer) mcastGroups() {
	w.linef("")
	if len(w.groups) == 0 {
		w.linef("# The family does not have a multicast group, so it does not send events.")
		w.linef("mcast-groups: {list: []}")
		return
	}
	w.linef("mcast-groups:")
	w.linef("  list:")
	for i, name := range w.groups {
		if original := w.family.Groups[i].Name; original != name {
			w.linef("    # TODO: the name in the kernel is %s. Specifications cannot contain it.", comment(original))
		}
		w.linef("    - name: %s", scalar(name))
	}
}
