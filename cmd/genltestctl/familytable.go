// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/genltestd/genltestd/daemon/genl"
)

func (s *session) listFamilies(families []genl.FamilyInfo) error {
	w := s.writer()
	w.table.columns = []column{
		{title: "NAME"},
		{title: "ID", right: true},
		{title: "VERSION", right: true},
		{title: "OPERATIONS", right: true},
		{title: "GROUPS"},
	}
	for _, f := range families {
		if w.format == outputJSON {
			if err := w.json(formOf(f, nil)); err != nil {
				return err
			}
			continue
		}
		var groups []string
		for _, g := range f.Groups {
			groups = append(groups, g.Name)
		}
		w.table.add(f.Name, f.ID, f.Version, len(f.Operations), strings.Join(groups, ", "))
	}
	return w.flush()
}

// showFamily prints a family. Policies are nil if they were not read.
func (s *session) showFamily(f genl.FamilyInfo, policies *genl.Policies) error {
	w, form := s.writer(), formOf(f, policies)
	if w.format == outputJSON {
		return errors.Join(w.json(form), w.flush())
	}
	for _, field := range [][2]string{
		{"name", f.Name},
		{"id", fmt.Sprint(f.ID)},
		{"version", fmt.Sprint(f.Version)},
		{"header", fmt.Sprintf("%d bytes", f.HeaderBytes)},
		{"max attribute", fmt.Sprint(f.MaxAttr)},
	} {
		w.line(plain, fmt.Sprintf("%-13s  ", field[0]), field[1])
	}
	tables := []table{groupTable(form.Groups), operationTable(form.Operations)}
	if policies != nil {
		tables = append(tables, policyTable(policies.List))
	}
	for i := range tables {
		if len(tables[i].rows) > 0 {
			fmt.Fprintln(w.out)
		}
		w.print(&tables[i])
	}
	return w.flush()
}

func groupTable(groups []groupForm) table {
	t := table{columns: []column{{title: "GROUP"}, {title: "ID", right: true}}}
	for _, g := range groups {
		t.add(g.Name, g.ID)
	}
	return t
}

func operationTable(operations []operationForm) table {
	t := table{columns: []column{
		{title: "OPERATION", right: true},
		{title: "DO POLICY", right: true},
		{title: "DUMP POLICY", right: true},
		{title: "FLAGS"},
	}}
	for _, op := range operations {
		t.add(op.ID, numberOr(op.DoPolicy, "-"), numberOr(op.DumpPolicy, "-"), strings.Join(op.Flags, ", "))
	}
	return t
}

func policyTable(policies []genl.Policy) table {
	t := table{columns: []column{
		{title: "POLICY", right: true},
		{title: "ATTRIBUTE", right: true},
		{title: "TYPE"},
		{title: "LIMITS"},
	}}
	for i, policy := range policies {
		if len(policy) == 0 {
			t.add(i, "-", "", "")
		}
		for _, a := range policy {
			t.add(i, a.Number, a.Type, limitsOf(a))
		}
	}
	return t
}

// numberOr returns a number, or another text without one.
func numberOr(number *int, absent string) string {
	if number == nil {
		return absent
	}
	return strconv.Itoa(*number)
}

// limitsOf returns the limits of an attribute for people.
func limitsOf(a genl.PolicyAttr) string {
	var parts []string
	if a.Range != nil {
		parts = append(parts, fmt.Sprintf("%s to %s", a.Range.Min, a.Range.Max))
	}
	if a.Mask != nil {
		parts = append(parts, fmt.Sprintf("valid bits %#x", *a.Mask))
	}
	if lengths := lengthsOf(a); lengths != "" {
		parts = append(parts, lengths)
	}
	if a.Nested != genl.NoPolicy {
		parts = append(parts, fmt.Sprintf("policy %d", a.Nested))
	}
	return strings.Join(parts, ", ")
}

func lengthsOf(a genl.PolicyAttr) string {
	switch {
	case a.MaxLen == nil && a.MinLen == 0:
		return ""
	case a.MaxLen == nil:
		return fmt.Sprintf("at least %d bytes", a.MinLen)
	case *a.MaxLen == a.MinLen:
		return fmt.Sprintf("%d bytes", a.MinLen)
	case a.MinLen == 0:
		return fmt.Sprintf("at most %d bytes", *a.MaxLen)
	}
	return fmt.Sprintf("%d to %d bytes", a.MinLen, *a.MaxLen)
}

// showSpec prints a specification, which contains no control characters.
func (s *session) showSpec(spec specForm) error {
	w := s.writer()
	if w.format == outputJSON {
		return errors.Join(w.json(spec), w.flush())
	}
	fmt.Fprint(w.out, spec.Specification)
	return w.flush()
}
