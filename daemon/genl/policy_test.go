// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/internal/kernelmsg"
)

// nest returns an attribute that contains attributes.
func nest(number uint16, attrs ...[]byte) []byte {
	return kernelmsg.Attr(number|unix.NLA_F_NESTED, slices.Concat(attrs...))
}

func u32Attr(number uint16, v uint32) []byte {
	return kernelmsg.Attr(number, binary.NativeEndian.AppendUint32(nil, v))
}

func u64Attr(number uint16, v uint64) []byte {
	return kernelmsg.Attr(number, binary.NativeEndian.AppendUint64(nil, v))
}

// attrPolicy returns the message about an attribute of policy 0.
func attrPolicy(number uint16, typ uint32, limits ...[]byte) []byte {
	return nest(unix.CTRL_ATTR_POLICY, nest(0, nest(number, append(limits, u32Attr(unix.NL_POLICY_TYPE_ATTR_TYPE, typ))...)))
}

// opPolicy returns the message about the policies of an operation.
func opPolicy(op uint16, policies ...[]byte) []byte {
	return nest(unix.CTRL_ATTR_OP_POLICY, nest(op, policies...))
}

func TestLimitsOfAttributes(t *testing.T) {
	const (
		minS, maxS = unix.NL_POLICY_TYPE_ATTR_MIN_VALUE_S, unix.NL_POLICY_TYPE_ATTR_MAX_VALUE_S
		minU, maxU = unix.NL_POLICY_TYPE_ATTR_MIN_VALUE_U, unix.NL_POLICY_TYPE_ATTR_MAX_VALUE_U
	)
	signed := func(number uint16, v int64) []byte { return u64Attr(number, uint64(v)) }
	number, bits := uint32(6), uint64(5)
	pad := kernelmsg.Attr(unix.NL_POLICY_TYPE_ATTR_PAD, nil)
	tests := map[string]struct {
		data []byte
		want PolicyAttr
	}{
		"any u8": {
			attrPolicy(1, unix.NL_ATTR_TYPE_U8, pad, u64Attr(minU, 0), pad, u64Attr(maxU, 255)),
			PolicyAttr{Type: unix.NL_ATTR_TYPE_U8},
		},
		"u8 of one value": {
			attrPolicy(1, unix.NL_ATTR_TYPE_U8, u64Attr(minU, 0), u64Attr(maxU, 0)),
			PolicyAttr{Type: unix.NL_ATTR_TYPE_U8, Range: &Range{Unsigned(0), Unsigned(0)}},
		},
		"any s16": {
			attrPolicy(1, unix.NL_ATTR_TYPE_S16, signed(minS, math.MinInt16), signed(maxS, math.MaxInt16)),
			PolicyAttr{Type: unix.NL_ATTR_TYPE_S16},
		},
		"s16 with a range": {
			attrPolicy(1, unix.NL_ATTR_TYPE_S16, signed(minS, -1), signed(maxS, 1)),
			PolicyAttr{Type: unix.NL_ATTR_TYPE_S16, Range: &Range{Signed(-1), Signed(1)}},
		},
		"any sint": {
			attrPolicy(1, 16, signed(minS, math.MinInt64), signed(maxS, math.MaxInt64)), PolicyAttr{Type: typeSint},
		},
		"uint with a range": {
			attrPolicy(1, 17, u64Attr(minU, 1), u64Attr(maxU, math.MaxUint64)),
			PolicyAttr{Type: typeUint, Range: &Range{Unsigned(1), Unsigned(math.MaxUint64)}},
		},
		"binary with lengths": {
			attrPolicy(
				1, unix.NL_ATTR_TYPE_BINARY,
				u32Attr(unix.NL_POLICY_TYPE_ATTR_MIN_LENGTH, 6), u32Attr(unix.NL_POLICY_TYPE_ATTR_MAX_LENGTH, 6),
			),
			PolicyAttr{Type: unix.NL_ATTR_TYPE_BINARY, MinLen: 6, MaxLen: &number},
		},
		"bitfield": {
			attrPolicy(1, unix.NL_ATTR_TYPE_BITFIELD32, u32Attr(unix.NL_POLICY_TYPE_ATTR_BITFIELD32_MASK, 5)),
			PolicyAttr{Type: unix.NL_ATTR_TYPE_BITFIELD32, Mask: &bits},
		},
		"flags": {
			attrPolicy(1, unix.NL_ATTR_TYPE_U32, u64Attr(unix.NL_POLICY_TYPE_ATTR_MASK, 5)),
			PolicyAttr{Type: unix.NL_ATTR_TYPE_U32, Mask: &bits},
		},
		"a nest of its own kind": {
			attrPolicy(
				1, unix.NL_ATTR_TYPE_NESTED,
				u32Attr(unix.NL_POLICY_TYPE_ATTR_POLICY_IDX, 0), u32Attr(unix.NL_POLICY_TYPE_ATTR_POLICY_MAXTYPE, 9),
			),
			PolicyAttr{Type: unix.NL_ATTR_TYPE_NESTED, Nested: 0},
		},
		"a type of a later kernel": {
			attrPolicy(1, 99, u64Attr(minU, 0), u64Attr(maxU, 5)), PolicyAttr{Type: 99, Range: &Range{Unsigned(0), Unsigned(5)}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.want.Number = 1
			if name != "a nest of its own kind" {
				test.want.Nested = NoPolicy
			}
			got, err := ParsePolicies([][]byte{test.data, test.data}, nil) // a second rule for the attribute is ignored
			if err != nil {
				t.Fatal(err)
			}
			want := Policies{List: []Policy{{test.want}}}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(Limit{})); diff != "" {
				t.Errorf("policies (-want +got):\n%s", diff)
			}
		})
	}
}

// A policy that rejects all attributes does not have a message, but is listed.
func TestPoliciesWithoutAttributesAreListed(t *testing.T) {
	got, err := ParsePolicies([][]byte{opPolicy(4, u32Attr(unix.CTRL_ATTR_POLICY_DO, 2)), attrPolicy(1, unix.NL_ATTR_TYPE_FLAG)}, nil)
	if err != nil || len(got.List) != 3 || len(got.List[0]) != 1 || len(got.List[2]) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPoliciesOfDumpsFollowOperationOrder(t *testing.T) {
	operations := []Operation{
		{1, CanDo | CanDump | HasPolicy}, {7, CanDump}, {9, CanDump | HasPolicy}, {3, CanDo | HasPolicy}, {5, CanDump | HasPolicy},
	}
	both := [][]byte{u32Attr(unix.CTRL_ATTR_POLICY_DO, 0), u32Attr(unix.CTRL_ATTR_POLICY_DUMP, 0)}
	dump := func(index uint32) []byte { return u32Attr(unix.CTRL_ATTR_POLICY_DUMP, index) }
	replies := [][]byte{opPolicy(1, both...), opPolicy(0, dump(1)), opPolicy(3, both[0]), opPolicy(0, dump(2))}
	want := []OperationPolicy{
		{ID: 1, Do: 0, Dump: 0}, {ID: 9, Do: NoPolicy, Dump: 1}, {ID: 3, Do: 0, Dump: NoPolicy}, {ID: 5, Do: NoPolicy, Dump: 2},
	}
	got, err := ParsePolicies(replies, operations)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Operations); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	got, err = ParsePolicies(replies, append(operations, Operation{0, CanDump | HasPolicy}))
	if err != nil || got.Operations[1].ID != 0 {
		t.Errorf("with an operation 0: %+v, %v", got.Operations, err)
	}
}

// Kernels before Linux 5.10 do not report the policies of single operations.
func TestFamilyWidePolicy(t *testing.T) {
	p, err := ParsePolicies([][]byte{attrPolicy(1, unix.NL_ATTR_TYPE_FLAG)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for flags, want := range map[OperationFlags]OperationPolicy{
		CanDo | CanDump | HasPolicy: {ID: 4, Do: 0, Dump: 0},
		CanDump | HasPolicy:         {ID: 4, Do: NoPolicy, Dump: 0},
		CanDo | CanDump:             {ID: 4, Do: NoPolicy, Dump: NoPolicy},
	} {
		if got := p.Of(Operation{4, flags}); got != want {
			t.Errorf("flags %b: %+v, want %+v", flags, got, want)
		}
	}
	none := OperationPolicy{ID: 4, Do: NoPolicy, Dump: NoPolicy}
	if got := (&Policies{}).Of(Operation{4, CanDo | HasPolicy}); got != none {
		t.Errorf("without policies: %+v", got)
	}
}

func TestMalformedNlctrlMessages(t *testing.T) {
	name := kernelmsg.Attr(unix.CTRL_ATTR_FAMILY_NAME, []byte("x\x00"))
	for label, attrs := range map[string][]byte{
		"an id of four bytes":         u32Attr(unix.CTRL_ATTR_FAMILY_ID, 1),
		"an attribute that is cut":    {40, 0, 1, 0},
		"an operation beyond 255":     nest(unix.CTRL_ATTR_OPS, nest(1, u32Attr(unix.CTRL_ATTR_OP_ID, 256))),
		"an operation of two bytes":   nest(unix.CTRL_ATTR_OPS, nest(1, kernelmsg.Attr(unix.CTRL_ATTR_OP_ID, []byte{1, 0}))),
		"groups that are not a nest":  kernelmsg.Attr(unix.CTRL_ATTR_MCAST_GROUPS, []byte{1, 2}),
		"a group with a short number": nest(unix.CTRL_ATTR_MCAST_GROUPS, nest(1, kernelmsg.Attr(unix.CTRL_ATTR_MCAST_GRP_ID, nil))),
	} {
		if f, err := ParseFamily(slices.Concat(name, attrs)); err == nil {
			t.Errorf("%s: %+v", label, f)
		}
	}
	if f, err := ParseFamily(u32Attr(unix.CTRL_ATTR_VERSION, 1)); err == nil {
		t.Errorf("no name: %+v", f)
	}
	for label, attrs := range map[string][]byte{
		"an operation beyond 255": opPolicy(256),
		"an index beyond 14 bits": opPolicy(1, u32Attr(unix.CTRL_ATTR_POLICY_DO, maxPolicies)),
		"a nest beyond 14 bits":   attrPolicy(1, unix.NL_ATTR_TYPE_NESTED, u32Attr(unix.NL_POLICY_TYPE_ATTR_POLICY_IDX, 1<<31)),
		"a short limit":           attrPolicy(1, unix.NL_ATTR_TYPE_U8, kernelmsg.Attr(unix.NL_POLICY_TYPE_ATTR_MAX_VALUE_U, []byte{1})),
		"a cut rule":              nest(unix.CTRL_ATTR_POLICY, nest(0, nest(1, []byte{9}))),
	} {
		if p, err := ParsePolicies([][]byte{attrs}, nil); err == nil {
			t.Errorf("%s: %+v", label, p)
		}
	}
}

func TestTypeNames(t *testing.T) {
	for typ, want := range map[AttrType]string{
		0: "type-0", unix.NL_ATTR_TYPE_FLAG: "flag", unix.NL_ATTR_TYPE_NUL_STRING: "nul-string", typeUint: "uint", 18: "type-18",
		math.MaxUint32: "type-4294967295",
	} {
		if got := typ.String(); got != want {
			t.Errorf("type %d is %q, want %q", typ, got, want)
		}
	}
}

func TestLimitsAreExactUpTo53Bits(t *testing.T) {
	const most = 1 << 53
	for l, want := range map[Limit]bool{
		Unsigned(most): true, Unsigned(most + 1): false, Signed(-most): true, Signed(-most - 1): false, Signed(most + 1): false,
		Signed(-1): true, Unsigned(math.MaxUint64): false,
	} {
		if got := l.IsExact(); got != want {
			t.Errorf("IsExact of %s is %t", l, got)
		}
	}
}

func FuzzParsePolicies(f *testing.F) {
	files, err := filepath.Glob(policyFile("*"))
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range append(files, filepath.Join(recordings, "families")) {
		recording, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(recording[:min(len(recording), 1<<10)])
	}
	f.Add(kernelmsg.Message(controllerID, 10, 2, opPolicy(0, u32Attr(unix.CTRL_ATTR_POLICY_DUMP, 3))))
	f.Fuzz(func(t *testing.T, recording []byte) {
		messages := kernelmsg.Attributes(recording)
		var family FamilyInfo
		for _, attrs := range messages {
			if f, err := ParseFamily(attrs); err == nil {
				family = f
			}
		}
		p, err := ParsePolicies(messages, family.Operations)
		if err != nil {
			return
		}
		isListed := func(index int) bool { return index == NoPolicy || index >= 0 && index < len(p.List) }
		for _, op := range family.Operations {
			if of := p.Of(op); of.ID != op.ID || !isListed(of.Do) || !isListed(of.Dump) {
				t.Errorf("operation %d: %+v of %d policies", op.ID, of, len(p.List))
			}
		}
		for _, policy := range p.List {
			for i, a := range policy {
				if !isListed(a.Nested) || i > 0 && policy[i-1].Number >= a.Number {
					t.Errorf("attribute %+v of %d policies", a, len(p.List))
				}
			}
		}
	})
}
