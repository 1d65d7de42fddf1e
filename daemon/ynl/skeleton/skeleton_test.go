// SPDX-License-Identifier: Apache-2.0

package skeleton

import (
	"encoding/binary"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/ynl"
	"github.com/genltestd/genltestd/internal/kernelmsg"
)

var update = flag.Bool("update", false, "write the golden files again")

// recordings are replies of the nlctrl of Linux 6.18.
const recordings = "../../genl/testdata/nlctrl"

func readRecording(t testing.TB, name string) []byte {
	t.Helper()
	recording, err := os.ReadFile(filepath.Join(recordings, name))
	if err != nil {
		t.Fatal(err)
	}
	return recording
}

// recorded returns the families of the recording.
func recorded(t testing.TB) (families []genl.FamilyInfo) {
	t.Helper()
	for _, attrs := range kernelmsg.Attributes(readRecording(t, "families")) {
		f, err := genl.ParseFamily(attrs)
		if err != nil {
			t.Fatal(err)
		}
		families = append(families, f)
	}
	return families
}

func policiesOf(t testing.TB, f genl.FamilyInfo) *genl.Policies {
	t.Helper()
	file := "policies-" + f.Name
	if _, err := os.Stat(filepath.Join(recordings, file)); err != nil {
		return &genl.Policies{}
	}
	p, err := genl.ParsePolicies(kernelmsg.Attributes(readRecording(t, file)), f.Operations)
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

func TestSkeletonsOfRecordedFamiliesAreSpecifications(t *testing.T) {
	for _, f := range recorded(t) {
		for what, policies := range map[string]*genl.Policies{"with policies": policiesOf(t, f), "without": nil} {
			spec, err := ynl.Parse(f.Name, Spec(f, policies))
			if err != nil {
				t.Errorf("%s %s: %v", f.Name, what, err)
				continue
			}
			if spec.Family != f.Name || len(spec.Groups) != len(f.Groups) {
				t.Errorf("%s %s: family %s, groups %q", f.Name, what, spec.Family, spec.Groups)
			}
			for _, op := range f.Operations {
				if got := spec.Command(op.ID); got != opName(op) {
					t.Errorf("%s %s: the operation %d is %q", f.Name, what, op.ID, got)
				}
			}
		}
	}
}

// everything is a family with each kind of attribute, and names that a specification cannot
// contain.
func everything() (genl.FamilyInfo, genl.Policies) {
	six, bits := uint32(6), uint64(0x105)
	none := genl.NoPolicy
	const all = genl.CanDo | genl.CanDump | genl.HasPolicy
	f := genl.FamilyInfo{
		Name: "802.15.4 \x1b[2J\n", ID: 34, Version: 3, HeaderBytes: 12, MaxAttr: 20,
		Operations: []genl.Operation{
			{ID: 9, Flags: all | genl.AdminPerm | genl.NamespaceAdminPerm},
			{ID: 1, Flags: all},
			{ID: 200, Flags: genl.CanDo},
			{ID: 7, Flags: genl.CanDump | genl.HasPolicy},
			{ID: 8, Flags: 0},
			{ID: 8, Flags: genl.CanDo},
			{ID: 10, Flags: all},
		},
		Groups: []genl.Group{
			{Name: "true", ID: 9},
			{Name: "a b", ID: 10},
			{Name: "a-b", ID: 11},
			{Name: "0", ID: 12},
			{Name: "", ID: 13},
			{Name: strings.Repeat("x", 15), ID: 14},
			{Name: strings.Repeat("x", 16), ID: 15},
			{Name: `a: 'b' "c\" #`, ID: 17},
			{Name: "\u202e", ID: 16},
		},
	}
	p := genl.Policies{
		Operations: []genl.OperationPolicy{
			{ID: 9, Do: 0, Dump: 0}, {ID: 1, Do: 0, Dump: 1}, {ID: 7, Do: none, Dump: 0}, {ID: 10, Do: 2, Dump: 1},
		},
		List: []genl.Policy{{
			{Number: 0, Type: unix.NL_ATTR_TYPE_U8, Nested: none},
			{Number: 1, Type: unix.NL_ATTR_TYPE_S32, Range: &genl.Range{Min: genl.Signed(-5), Max: genl.Signed(5)}, Nested: none},
			{Number: 2, Type: 17, Range: &genl.Range{Min: genl.Unsigned(1), Max: genl.Unsigned(math.MaxUint64)}, Nested: none},
			{Number: 3, Type: unix.NL_ATTR_TYPE_BINARY, MinLen: 6, MaxLen: &six, Nested: none},
			{Number: 4, Type: unix.NL_ATTR_TYPE_BINARY, MinLen: 2, Nested: none},
			{Number: 5, Type: unix.NL_ATTR_TYPE_NUL_STRING, MaxLen: &six, Nested: none},
			{Number: 6, Type: unix.NL_ATTR_TYPE_STRING, Nested: none},
			{Number: 7, Type: unix.NL_ATTR_TYPE_FLAG, Nested: none},
			{Number: 8, Type: unix.NL_ATTR_TYPE_BITFIELD32, Mask: &bits, Nested: none},
			{Number: 9, Type: unix.NL_ATTR_TYPE_U32, Mask: &bits, Nested: none},
			{Number: 10, Type: unix.NL_ATTR_TYPE_NESTED, Nested: 0},
			{Number: 11, Type: unix.NL_ATTR_TYPE_NESTED, Nested: none},
			{Number: 12, Type: unix.NL_ATTR_TYPE_NESTED_ARRAY, Nested: 1},
			{Number: 13, Type: 99, Nested: none},
			{Number: 16383, Type: 16, Nested: none},
		}, {{Number: 1, Type: unix.NL_ATTR_TYPE_U64, Nested: none}}, {}},
	}
	return f, p
}

func TestSkeletonOfEverything(t *testing.T) {
	const golden = "testdata/everything.yaml"
	f, p := everything()
	got := Spec(f, &p)
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("skeleton (-want +got):\n%s", diff)
	}
	spec, err := ynl.Parse(golden, got)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range got {
		if b != '\n' && (b < ' ' || b > '~') {
			t.Fatalf("the byte %#x is not safe on a terminal", b)
		}
	}
	// The skeleton decodes a reply: the header, and the attributes that have a policy.
	data := append(make([]byte, 12), kernelmsg.Attr(5, []byte("eth0\x00"))...)
	data = append(data, kernelmsg.Attr(10, kernelmsg.Attr(1, binary.NativeEndian.AppendUint32(nil, 7)))...)
	const reply = `{"header-bytes":"000000000000000000000000","attr-5":"eth0","attr-10":{"attr-1":7}}`
	if decoded := decode(t, spec, 9, data); decoded != reply {
		t.Errorf("decoded %s, want %s", decoded, reply)
	}
}

// decode returns a message of the kernel as JSON.
func decode(t *testing.T, spec *ynl.Spec, command uint8, data []byte) string {
	t.Helper()
	message := append([]byte{command, 1, 0, 0}, data...)
	var d ynl.Decoder
	m, err := d.Decode(spec, message)
	if err != nil {
		t.Fatal(err)
	}
	return string(m.Attributes.AppendJSON(nil))
}

// The name of IEEE 802.15.4 contains dots and a space.
func TestNamesOfTheKernelAreKept(t *testing.T) {
	f := genl.FamilyInfo{Name: "802.15.4 MAC", Groups: []genl.Group{{Name: `it's "a\b"`, ID: 9}, {Name: "null", ID: 10}}}
	spec, err := ynl.Parse("f.yaml", Spec(f, &genl.Policies{}))
	if err != nil {
		t.Fatal(err)
	}
	if spec.Family != f.Name || spec.Groups[0] != f.Groups[0].Name || spec.Groups[1] != f.Groups[1].Name {
		t.Errorf("family %q, groups %q", spec.Family, spec.Groups)
	}
}

// A specification needs an operation, also for a family that only sends events.
func TestAFamilyWithoutOperations(t *testing.T) {
	for _, groups := range [][]genl.Group{nil, {{Name: "events", ID: 9}}} {
		spec, err := ynl.Parse("x", Spec(genl.FamilyInfo{Name: "x", Groups: groups}, &genl.Policies{}))
		if err != nil || spec.Command(1) != "event-1" {
			t.Errorf("groups %v: %v", groups, err)
		}
	}
}

// The skeleton of a family that is larger than nl80211 does not exceed the limits of a
// specification.
func TestALargeFamily(t *testing.T) {
	f := genl.FamilyInfo{Name: "large"}
	var p genl.Policies
	for i := range 150 {
		f.Operations = append(f.Operations, genl.Operation{ID: uint8(i + 1), Flags: genl.CanDo | genl.HasPolicy})
		p.Operations = append(p.Operations, genl.OperationPolicy{ID: uint8(i + 1), Dump: genl.NoPolicy})
	}
	for range 60 {
		var policy genl.Policy
		for i := range 150 {
			n := uint32(i)
			policy = append(policy, genl.PolicyAttr{Number: uint16(i), Type: unix.NL_ATTR_TYPE_NUL_STRING, MaxLen: &n, Nested: genl.NoPolicy})
		}
		p.List = append(p.List, policy)
	}
	if _, err := ynl.Parse("large", Spec(f, &p)); err != nil {
		t.Error(err)
	}
}

func FuzzSpec(f *testing.F) {
	families := readRecording(f, "families")
	f.Add(families[:1<<10], readRecording(f, "policies-nlctrl"))
	f.Add(families[1<<10:2<<10], readRecording(f, "policies-NLBL_MGMT"))
	f.Add(kernelmsg.Notification(1, "n\x1b'\"", 34, map[string]uint32{"a: b": 1, "a: c": 2}), []byte{})
	f.Fuzz(func(t *testing.T, families, policies []byte) {
		for _, attrs := range kernelmsg.Attributes(families) {
			family, err := genl.ParseFamily(attrs)
			if err != nil {
				continue
			}
			p, err := genl.ParsePolicies(kernelmsg.Attributes(policies), family.Operations)
			if err != nil || len(p.List) > 1000 {
				continue // a specification has a maximum size
			}
			text := Spec(family, &p)
			if _, err := ynl.Parse("f.yaml", text); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
		}
	})
}
