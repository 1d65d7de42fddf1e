// SPDX-License-Identifier: Apache-2.0

package skeleton

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/daemon/genl"
)

func opName(op genl.Operation) string { return fmt.Sprintf("cmd-%d", op.ID) }

func (w *writer) operations() {
	ops := slices.Clone(w.family.Operations)
	slices.SortStableFunc(ops, func(a, b genl.Operation) int { return cmp.Compare(a.ID, b.ID) })
	ops = slices.CompactFunc(ops, func(a, b genl.Operation) bool { return a.ID == b.ID })
	w.linef("")
	w.linef("# TODO: the names of the operations.")
	w.linef("operations:")
	if w.hasHeader() {
		w.linef("  fixed-header: header")
	}
	w.linef("  # This key of genltestd names the set of the commands that are not in the list:")
	w.linef("  # x-attribute-set: %s", setName(w.firstSet()))
	w.linef("  list:")
	for _, op := range ops {
		w.operation(op)
	}
	w.event(len(ops) > 0)
}

// firstSet returns the policy of the first operation with one.
func (w *writer) firstSet() int {
	for _, op := range w.family.Operations {
		if of := w.policies.Of(op); of.Do != genl.NoPolicy || of.Dump != genl.NoPolicy {
			return max(of.Do, of.Dump)
		}
	}
	return genl.NoPolicy
}

func (w *writer) operation(op genl.Operation) {
	of := w.policies.Of(op)
	set := of.Do
	if set == genl.NoPolicy || len(w.policies.List[set]) == 0 && of.Dump != genl.NoPolicy {
		set = of.Dump
	}
	w.linef("    - name: %s", opName(op))
	w.linef("      value: %d", op.ID)
	w.linef("      doc: TODO")
	w.linef("      attribute-set: %s", setName(set))
	if of.Do != of.Dump && of.Do != genl.NoPolicy && of.Dump != genl.NoPolicy {
		w.linef("      # TODO: one set for do, which has %s, and dump, which has %s.", setName(of.Do), setName(of.Dump))
	}
	if flags := permissions(op.Flags); len(flags) > 0 {
		w.linef("      flags: [%s]", strings.Join(flags, ", "))
	}
	if op.Flags&genl.CanDo != 0 {
		w.linef("      do: {request: {}, reply: {}}")
	}
	if op.Flags&genl.CanDump != 0 {
		w.linef("      dump: {request: {}, reply: {}}")
	}
}

// permissions returns the flags of an operation that a specification can contain.
func permissions(flags genl.OperationFlags) (names []string) {
	if flags&genl.AdminPerm != 0 {
		names = append(names, "admin-perm")
	}
	if flags&genl.NamespaceAdminPerm != 0 {
		names = append(names, "uns-admin-perm")
	}
	return names
}

// event adds an event as a model. It is a comment if the list has operations, because the
// kernel does not report the numbers of events.
func (w *writer) event(isComment bool) {
	mark := ""
	if isComment {
		if len(w.groups) == 0 {
			return
		}
		mark = "# "
	}
	group := ""
	if len(w.groups) > 0 {
		group = ", mcgrp: " + scalar(w.groups[0])
	}
	w.linef("    # TODO: the events, which the kernel does not report. An event is an entry such as:")
	w.linef("    %s- {name: event-1, value: 1, doc: TODO, attribute-set: %s%s, event: {}}", mark, unknownSet, group)
}
