// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nla returns an attribute with its padding.
func nla(number uint16, payload ...[]byte) []byte {
	data := concat(payload...)
	b := binary.NativeEndian.AppendUint16(nil, uint16(attrHeader+len(data)))
	b = binary.NativeEndian.AppendUint16(b, number)
	b = append(b, data...)
	return append(b, make([]byte, -len(b)&3)...)
}

func concat(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func u8(v uint8) []byte   { return []byte{v} }
func u16(v uint16) []byte { return binary.NativeEndian.AppendUint16(nil, v) }
func u32(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }
func u64(v uint64) []byte { return binary.NativeEndian.AppendUint64(nil, v) }
func str(s string) []byte { return append([]byte(s), 0) }

// payload returns a message of a command.
func payload(command uint8, attributes ...[]byte) []byte {
	return append([]byte{command, 1, 0, 0}, concat(attributes...)...)
}

// mustParse parses a specification without faults.
func mustParse(t testing.TB, text string) *Spec {
	t.Helper()
	spec, err := Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// setSpec returns a specification with a command 1 that has the attributes of a set "main".
func setSpec(definitions, attributes string, sets ...string) string {
	var b strings.Builder
	b.WriteString("name: test\n")
	if definitions != "" {
		b.WriteString("definitions:\n" + definitions)
	}
	b.WriteString("attribute-sets:\n  - name: main\n    attributes:\n" + attributes)
	for _, set := range sets {
		b.WriteString(set)
	}
	b.WriteString("operations:\n  list:\n    - {name: changed, attribute-set: main, event: {}}\n")
	return b.String()
}

// check decodes a message of command 1 and compares its attributes and error.
func check(t *testing.T, spec *Spec, message []byte, want, wantErr string) {
	t.Helper()
	var d Decoder
	m, err := d.Decode(spec, message)
	if diff := cmp.Diff(want, string(m.Attributes.AppendJSON(nil))); diff != "" {
		t.Errorf("attributes (-want +got)\n%s", diff)
	}
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != wantErr {
		t.Errorf("error %q, want %q", got, wantErr)
	}
}
