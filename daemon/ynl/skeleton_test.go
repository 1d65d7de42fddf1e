// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"

	"github.com/genltestd/genltestd/daemon/event"
)

// decodeNlctrl decodes messages of nlctrl.
func decodeNlctrl(t *testing.T, messages ...[]byte) (all []event.Object) {
	t.Helper()
	spec, err := Embedded("nlctrl")
	if err != nil {
		t.Fatal(err)
	}
	var d Decoder
	for _, raw := range messages {
		m, err := d.Decode(spec, raw)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m.Attributes)
	}
	return all
}

// policyMessage describes an attribute of a policy.
func policyMessage(policy, number uint16, kind uint32, nested ...[]byte) []byte {
	return payload(10, nla(8|isNested, nla(policy|isNested, nla(number|isNested, nla(1, u32(kind)), concat(nested...)))))
}

func TestSkeleton(t *testing.T) {
	family := decodeNlctrl(t, payload(1, nla(2, str("802.15.4 MAC")),
		nla(6|isNested, nla(1|isNested, nla(1, u32(3))), nla(2|isNested, nla(1, u32(1)))),
		nla(7|isNested, nla(1|isNested, nla(1, str("it's")), nla(2, u32(9))))))[0]
	policies := decodeNlctrl(t,
		payload(10, nla(9|isNested, nla(1|isNested, nla(1, u32(0)), nla(2, u32(1))))),
		payload(10, nla(9|isNested, nla(3|isNested, nla(2, u32(1))))),
		policyMessage(0, 2, 4), policyMessage(0, 1, 12), policyMessage(0, 7, 13, nla(8, u32(1))), policyMessage(0, 8, 99),
		policyMessage(1, 1, 14, nla(8, u32(0))), policyMessage(1, 2, 0), policyMessage(1, 3, 13), policyMessage(1, 4, 1))
	const want = `---
name: '802.15.4 MAC'
protocol: genetlink-legacy

attribute-sets:
  - name: set-0
    attributes:
      - {name: attribute-1, value: 1, type: string}
      - {name: attribute-2, value: 2, type: u32}
      - {name: attribute-7, value: 7, type: nest, nested-attributes: set-1}
      - {name: attribute-8, value: 8, type: binary}
  - name: set-1
    attributes:
      - {name: attribute-1, value: 1, type: indexed-array, sub-type: nest, nested-attributes: set-0}
      - {name: attribute-2, value: 2, type: unused}
      - {name: attribute-3, value: 3, type: binary}
      - {name: attribute-4, value: 4, type: flag}

operations:
  x-attribute-set: set-0
  list:
    - {name: unspec, value: 0}
    - {name: command-1, value: 1, attribute-set: set-0, do: {request: {}, reply: {}}}
    - {name: command-3, value: 3, attribute-set: set-1, do: {request: {}, reply: {}}}

mcast-groups:
  list:
    - name: 'it''s'
`
	got := string(Skeleton(family, policies))
	comment, rest, _ := strings.Cut(got, "---\n")
	if diff := cmp.Diff(want, "---\n"+rest); diff != "" || !strings.HasPrefix(comment, "# A specification to begin with") {
		t.Errorf("comment %q, rest (-want +got)\n%s", comment, diff)
	}
	spec := mustParse(t, got)
	if spec.Family != "802.15.4 MAC" || spec.Groups[0] != "it's" {
		t.Errorf("family %q, groups %q", spec.Family, spec.Groups)
	}
	check(t, spec, payload(1, nla(7, nla(1, nla(3, nla(2, u32(5)))))),
		`{"attribute-7":{"attribute-1":[{"index":3,"attribute-2":5}]}}`, "")
}

func TestSkeletonOfAFamilyWithoutPolicies(t *testing.T) {
	family := decodeNlctrl(t, payload(1, nla(2, str("x"))))[0]
	spec := mustParse(t, string(Skeleton(family, nil)))
	var d Decoder
	m, err := d.Decode(spec, payload(9, nla(4, u8(1))))
	if got := string(m.Attributes.AppendJSON(nil)); got != `{"4":"01"}` || err != nil || m.Command != "9" {
		t.Errorf("got %s, error %v, command %s", got, err, m.Command)
	}
}

// Each family of the running kernel has a skeleton without faults.
func TestLiveSkeletons(t *testing.T) {
	l := listen(t, "nlctrl")
	const getFamily, getPolicy = 3, 10
	families := l.dump(t, getFamily)
	for _, raw := range families {
		family := decodeNlctrl(t, raw)[0]
		name := text(family, "family-name")
		policies := decodeNlctrl(t, l.dump(t, getPolicy, nla(2, str(name)))...)
		skeleton := Skeleton(family, policies)
		if spec, err := Parse(name, skeleton); err != nil || spec.Family != name {
			t.Errorf("%v in\n%s", err, skeleton)
		}
		if name == "ethtool" && !strings.Contains(string(skeleton), "type: nest, nested-attributes: set-") {
			t.Errorf("no nest of ethtool in\n%s", skeleton)
		}
	}
}

// dump returns the replies to a request. It is empty if the kernel does not support it for a
// family.
func (l *listener) dump(t *testing.T, command uint8, attributes ...[]byte) (all [][]byte) {
	t.Helper()
	messages, err := l.conn.Execute(genetlink.Message{
		Header: genetlink.Header{Command: command, Version: 1}, Data: concat(attributes...),
	}, l.family.ID, netlink.Request|netlink.Dump)
	if err != nil && len(attributes) == 0 {
		t.Fatal(err)
	}
	for _, m := range messages {
		all = append(all, append([]byte{m.Header.Command, m.Header.Version, 0, 0}, m.Data...))
	}
	return all
}
