// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"

	"github.com/genltestd/genltestd/daemon/genl"
)

// A familyForm is a family as JSON. The form is documented and stable.
type familyForm struct {
	Name         string          `json:"name"`
	ID           uint16          `json:"id"`
	Version      uint32          `json:"version"`
	HeaderBytes  uint32          `json:"header_bytes"`
	MaxAttribute uint32          `json:"max_attribute"`
	Groups       []groupForm     `json:"groups"`
	Operations   []operationForm `json:"operations"`
	Policies     *[]policyForm   `json:"policies,omitempty"` // nil if they were not read
}

type groupForm struct {
	Name string `json:"name"`
	ID   uint32 `json:"id"`
}

type operationForm struct {
	ID         uint8    `json:"id"`
	Flags      []string `json:"flags"`
	DoPolicy   *int     `json:"do_policy,omitempty"`
	DumpPolicy *int     `json:"dump_policy,omitempty"`
}

type policyForm struct {
	ID         int             `json:"id"`
	Attributes []attributeForm `json:"attributes"`
}

type attributeForm struct {
	ID           uint16  `json:"id"`
	Type         string  `json:"type"`
	Min          any     `json:"min,omitempty"`
	Max          any     `json:"max,omitempty"`
	ValidBits    any     `json:"valid_bits,omitempty"`
	MinLength    uint32  `json:"min_length,omitempty"`
	MaxLength    *uint32 `json:"max_length,omitempty"`
	NestedPolicy *int    `json:"nested_policy,omitempty"`
}

// A specForm is a specification as JSON.
type specForm struct {
	Name          string `json:"name"`
	Source        string `json:"source"` // "built-in" or "skeleton"
	Specification string `json:"specification"`
}

// formOf returns the form of a family. Policies are nil if they were not read.
func formOf(f genl.FamilyInfo, policies *genl.Policies) familyForm {
	form := familyForm{
		Name: f.Name, ID: f.ID, Version: f.Version, HeaderBytes: f.HeaderBytes, MaxAttribute: f.MaxAttr,
		Groups: []groupForm{}, Operations: []operationForm{},
	}
	for _, g := range f.Groups {
		form.Groups = append(form.Groups, groupForm(g))
	}
	for _, op := range f.Operations {
		o := operationForm{ID: op.ID, Flags: flagNames(op.Flags)}
		if policies != nil {
			of := policies.Of(op)
			o.DoPolicy, o.DumpPolicy = policyNumber(of.Do), policyNumber(of.Dump)
		}
		form.Operations = append(form.Operations, o)
	}
	if policies == nil {
		return form
	}
	list := []policyForm{}
	for i, policy := range policies.List {
		p := policyForm{ID: i, Attributes: []attributeForm{}}
		for _, a := range policy {
			p.Attributes = append(p.Attributes, attributeOf(a))
		}
		list = append(list, p)
	}
	form.Policies = &list
	return form
}

// policyNumber returns the number of a policy; nil without one.
func policyNumber(index int) *int {
	if index == genl.NoPolicy {
		return nil
	}
	return &index
}

func attributeOf(a genl.PolicyAttr) attributeForm {
	form := attributeForm{
		ID: a.Number, Type: a.Type.String(), MinLength: a.MinLen, MaxLength: a.MaxLen, NestedPolicy: policyNumber(a.Nested),
	}
	if a.Range != nil {
		form.Min, form.Max = exact(a.Range.Min), exact(a.Range.Max)
	}
	if a.Mask != nil {
		form.ValidBits = exact(genl.Unsigned(*a.Mask))
	}
	return form
}

// exact returns a limit as a JSON number, or as a string if the number exceeds 53 bits.
func exact(l genl.Limit) any {
	if l.IsExact() {
		return json.Number(l.String())
	}
	return l.String()
}

// flagNames returns the names of an operation's flags. A flag of a later kernel is a number.
func flagNames(flags genl.OperationFlags) []string {
	names := []string{}
	for _, known := range []struct {
		flag genl.OperationFlags
		name string
	}{
		{genl.AdminPerm, "admin-perm"},
		{genl.NamespaceAdminPerm, "uns-admin-perm"},
		{genl.CanDo, "do"},
		{genl.CanDump, "dump"},
		{genl.HasPolicy, "policy"},
	} {
		if flags&known.flag != 0 {
			names = append(names, known.name)
		}
		flags &^= known.flag
	}
	if flags != 0 {
		names = append(names, fmt.Sprintf("%#x", uint32(flags)))
	}
	return names
}
