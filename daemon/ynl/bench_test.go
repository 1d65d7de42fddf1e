// SPDX-License-Identifier: Apache-2.0

package ynl

import "testing"

// tenAttributes returns a specification, and a message with ten attributes of various
// types.
func tenAttributes(t testing.TB) (*Spec, []byte) {
	spec := mustParse(t, setSpec(allTypes, `
      - {name: header, type: nest, nested-attributes: link}
      - {name: state, type: u32, enum: state}
      - {name: caps, type: u64, enum: caps}
      - {name: name, type: string}
      - {name: mac, type: binary, display-hint: mac}
      - {name: speed, type: uint}
      - {name: many, type: u32, multi-attr: true}
      - {name: carrier, type: flag}
`, nested))
	return spec, payload(1,
		nla(1, nla(1, u32(2)), nla(2, str("eth0"))), nla(2, u32(2)), nla(3, u64(3)), nla(4, str("some name")),
		nla(5, []byte{2, 0, 0, 0, 0, 1}), nla(6, u64(1e10)), nla(7, u32(1)), nla(7, u32(2)))
}

func TestDecodingAllocates(t *testing.T) {
	spec, message := tenAttributes(t)
	var d Decoder
	for name, spec := range map[string]*Spec{"with": spec, "without": nil} {
		decode := func() {
			if _, err := d.Decode(spec, message); err != nil {
				t.Fatal(err)
			}
		}
		if n := testing.AllocsPerRun(1000, decode); n > 1 {
			t.Errorf("%v allocations %s a specification", n, name)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	spec, message := tenAttributes(b)
	var d Decoder
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decode(spec, message); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeToJSON(b *testing.B) {
	spec, message := tenAttributes(b)
	var d Decoder
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		m, _ := d.Decode(spec, message)
		dst = m.Attributes.AppendJSON(dst[:0])
	}
}
