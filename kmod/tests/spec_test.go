// SPDX-License-Identifier: Apache-2.0

//go:build kernel

package kmod_test

import (
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
	"gopkg.in/yaml.v3"
)

// spec contains the parts of genltest.yaml that the tests use.
type spec struct {
	Name        string
	Definitions []struct {
		Name  string
		Value int
	}
	AttributeSets []struct {
		Name       string
		Attributes []struct {
			Name   string
			Type   string
			Checks struct {
				MaxLen string `yaml:"max-len"`
			}
		}
	} `yaml:"attribute-sets"`
	Operations struct {
		List []struct {
			Name  string
			Value uint32
			Do    *struct {
				Request, Reply struct{ Attributes []string }
			}
			Event *struct{ Attributes []string }
			McGrp string `yaml:"mcgrp"`
		}
	}
	McastGroups struct {
		List []struct{ Name string }
	} `yaml:"mcast-groups"`
}

func mustReadSpec(t *testing.T) spec {
	t.Helper()
	b, err := os.ReadFile(os.Getenv("GENLTEST_SPEC"))
	if err != nil {
		t.Fatal(err)
	}
	var s spec
	if err := yaml.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	if len(s.AttributeSets) != 1 {
		t.Fatalf("want one attribute set: %+v", s)
	}
	return s
}

// attrType returns the number of an attribute. Numbers start at 1.
func (s spec) attrType(t *testing.T, name string) uint16 {
	t.Helper()
	for i, a := range s.AttributeSets[0].Attributes {
		if a.Name == name {
			return uint16(i + 1)
		}
	}
	t.Fatalf("genltest.yaml has no attribute %q", name)
	return 0
}

func (s spec) attrTypes(t *testing.T, names []string) []uint16 {
	t.Helper()
	var types []uint16
	for _, n := range names {
		types = append(types, s.attrType(t, n))
	}
	return types
}

// description is nlctrl's description of a family.
type description struct {
	Name    string
	Version uint32
	MaxAttr uint32
	Ops     map[uint32]uint32 // flags
	Groups  []string
}

func TestSpecMatchesTheFamilyInTheKernel(t *testing.T) {
	genltestModule.mustLoad(t)
	s := mustReadSpec(t)

	want := description{
		Name:    s.Name,
		Version: 1, // the only version of a genetlink spec
		MaxAttr: uint32(len(s.AttributeSets[0].Attributes)),
		Ops:     make(map[uint32]uint32),
	}
	for _, op := range s.Operations.List {
		if op.Do != nil {
			want.Ops[op.Value] = unix.GENL_CMD_CAP_DO | unix.GENL_CMD_CAP_HASPOL
		}
		if op.Event != nil && op.McGrp != group {
			t.Errorf("group of operation %q: got %q, want %q", op.Name, op.McGrp, group)
		}
	}
	for _, g := range s.McastGroups.List {
		want.Groups = append(want.Groups, g.Name)
	}
	if diff := cmp.Diff(want, describe(t)); diff != "" {
		t.Errorf("genltest.yaml and the kernel (-spec +kernel):\n%s", diff)
	}
}

func nlctrl(t *testing.T, cmd uint8, flags netlink.HeaderFlags, encode func(*netlink.AttributeEncoder)) []genetlink.Message {
	t.Helper()
	ae := netlink.NewAttributeEncoder()
	encode(ae)
	b, err := ae.Encode()
	if err != nil {
		t.Fatal(err)
	}
	msg := genetlink.Message{Header: genetlink.Header{Command: cmd, Version: 2}, Data: b}
	msgs, err := mustDial(t).Execute(msg, unix.GENL_ID_CTRL, netlink.Request|flags)
	if err != nil {
		t.Fatalf("nlctrl command %d: %v", cmd, err)
	}
	return msgs
}

// eachAttr calls f for every attribute in b.
func eachAttr(t *testing.T, b []byte, f func(*netlink.AttributeDecoder)) {
	t.Helper()
	ad, err := netlink.NewAttributeDecoder(b)
	if err != nil {
		t.Fatal(err)
	}
	for ad.Next() {
		f(ad)
	}
	if err := ad.Err(); err != nil {
		t.Fatal(err)
	}
}

func describe(t *testing.T) description {
	t.Helper()
	msgs := nlctrl(t, unix.CTRL_CMD_GETFAMILY, 0, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.CTRL_ATTR_FAMILY_NAME, family)
	})
	if len(msgs) != 1 {
		t.Fatalf("got %d answers, want 1", len(msgs))
	}

	d := description{Ops: make(map[uint32]uint32)}
	eachAttr(t, msgs[0].Data, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case unix.CTRL_ATTR_FAMILY_NAME:
			d.Name = ad.String()
		case unix.CTRL_ATTR_VERSION:
			d.Version = ad.Uint32()
		case unix.CTRL_ATTR_MAXATTR:
			d.MaxAttr = ad.Uint32()
		case unix.CTRL_ATTR_OPS:
			eachAttr(t, ad.Bytes(), func(op *netlink.AttributeDecoder) {
				var id, flags uint32
				eachAttr(t, op.Bytes(), func(ad *netlink.AttributeDecoder) {
					switch ad.Type() {
					case unix.CTRL_ATTR_OP_ID:
						id = ad.Uint32()
					case unix.CTRL_ATTR_OP_FLAGS:
						flags = ad.Uint32()
					}
				})
				d.Ops[id] = flags
			})
		case unix.CTRL_ATTR_MCAST_GROUPS:
			eachAttr(t, ad.Bytes(), func(grp *netlink.AttributeDecoder) {
				eachAttr(t, grp.Bytes(), func(ad *netlink.AttributeDecoder) {
					if ad.Type() == unix.CTRL_ATTR_MCAST_GRP_NAME {
						d.Groups = append(d.Groups, ad.String())
					}
				})
			})
		}
	})
	return d
}

func TestSpecMatchesThePolicyOfTheKernel(t *testing.T) {
	genltestModule.mustLoad(t)
	s := mustReadSpec(t)
	constants := make(map[string]int)
	for _, d := range s.Definitions {
		constants[d.Name] = d.Value
	}

	want := make(map[uint32]map[uint16]attrPolicy)
	for _, op := range s.Operations.List {
		if op.Do == nil {
			continue
		}
		want[op.Value] = make(map[uint16]attrPolicy)
		for _, a := range s.AttributeSets[0].Attributes {
			if !slices.Contains(op.Do.Request.Attributes, a.Name) {
				continue
			}
			if a.Type != "string" {
				t.Fatalf("request attribute %q of type %q: the test supports only strings", a.Name, a.Type)
			}
			want[op.Value][s.attrType(t, a.Name)] = attrPolicy{typeNulString, uint32(constants[a.Checks.MaxLen])}
		}
	}
	if diff := cmp.Diff(want, policies(t)); diff != "" {
		t.Errorf("genltest.yaml and the kernel (-spec +kernel):\n%s", diff)
	}
	if constants["msg-max"] != textMax {
		t.Errorf("msg-max: got %d, want %d", constants["msg-max"], textMax)
	}
}

// The policy does not include the types of attributes that only events contain.
func TestSpecMatchesTheMessages(t *testing.T) {
	genltestModule.mustLoad(t)
	l := listen(t)
	s := mustReadSpec(t)

	wantTypes := map[uint16]string{attrMsg: "string", attrPad: "pad", attrSeq: "u64", attrTime: "u64", attrLoadID: "u64"}
	for i, a := range s.AttributeSets[0].Attributes {
		if want := wantTypes[uint16(i+1)]; a.Type != want {
			t.Errorf("type of attribute %q: got %q, want %q", a.Name, a.Type, want)
		}
	}

	for _, op := range s.Operations.List {
		if op.Event != nil {
			mustWrite(t, pingPath, "hello\n")
			got := l.mustNext(t) // parsing it has checked the sizes
			if uint32(got.Genl.Command) != op.Value {
				t.Errorf("command of an event: got %d, want %d", got.Genl.Command, op.Value)
			}
			if diff := cmp.Diff(s.attrTypes(t, op.Event.Attributes), got.Attrs); diff != "" {
				t.Errorf("%s (-spec +kernel):\n%s", op.Name, diff)
			}
		}
		if op.Do != nil {
			genl, _, _, err := request(t, uint8(op.Value), 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []uint16
			eachAttr(t, genl.Data, func(ad *netlink.AttributeDecoder) { got = append(got, ad.Type()) })
			if diff := cmp.Diff(s.attrTypes(t, op.Do.Reply.Attributes), got); diff != "" {
				t.Errorf("%s (-spec +kernel):\n%s", op.Name, diff)
			}
		}
	}
}
