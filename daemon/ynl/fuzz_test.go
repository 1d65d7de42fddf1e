// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"encoding/json"
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, family := range []string{"nlctrl", "acpi_event", "thermal"} { // mutations of larger files find less
		text, err := embedded.ReadFile("specs/" + family + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, c := range faults {
		f.Add(strings.Replace(c.text, " «", "", 1))
	}
	f.Add(setSpec(allTypes, malformedSet, nested))
	message := payload(1, nla(1, u32(1)), nla(2, nla(1, u32(2))), nla(3), nla(8, nla(1, nla(1))))
	f.Fuzz(func(t *testing.T, text string) {
		spec, err := Parse("f.yaml", []byte(text))
		if (spec == nil) == (err == nil) {
			t.Fatalf("a specification and an error: %v", err)
		}
		if _, lenient := ParseInstalled("f.yaml", []byte(text)); err == nil && lenient != nil {
			t.Fatalf("only ParseInstalled fails: %v", lenient)
		}
		if err == nil {
			decodeAll(t, spec, message)
		}
	})
}

func FuzzDecode(f *testing.F) {
	all := mustParse(f, setSpec(allTypes, malformedSet+`
      - {name: layout, type: binary, struct: outer}
      - {name: caps, type: u64, enum: caps, multi-attr: true}
      - {name: kind, type: string}
      - {name: data, type: sub-message, sub-message: data, selector: kind}
      - {name: pad, type: pad}
`, nested, "sub-messages: [{name: data, formats: [{value: x, fixed-header: outer, attribute-set: link}]}]\n"))
	f.Add(payload(1, nla(1, u32(1)), nla(2, nla(1, u32(2))), nla(3), nla(8, nla(1, nla(1, nla(1, u32(3)))))))
	f.Add(payload(1, nla(5, nla(1, nla(1, u32(1)))), nla(6, u16(1)), nla(7, u64(1)), nla(4, u64(1)), nla(9, make([]byte, 20))))
	f.Add(payload(1, nla(10, u64(1<<63)), nla(10, u64(5)), nla(11, str("x")), nla(12, make([]byte, 16), nla(1, u32(1)))))
	f.Add(payload(1, nla(300, u8(1)), nla(300), nla(13), []byte{1}))
	f.Fuzz(func(t *testing.T, message []byte) {
		decodeAll(t, nil, message)
		decodeAll(t, all, message)
	})
}

// decodeAll decodes a message twice, and checks that the results are equal and valid JSON.
func decodeAll(t *testing.T, spec *Spec, message []byte) {
	t.Helper()
	var d Decoder
	m, err := d.Decode(spec, message)
	first := m.Attributes.AppendJSON(nil)
	if !json.Valid(first) {
		t.Fatalf("not valid JSON: %s", first)
	}
	again, errAgain := d.Decode(spec, message)
	if second := again.Attributes.AppendJSON(nil); string(second) != string(first) || (err == nil) != (errAgain == nil) {
		t.Fatalf("decoded again\n%s, %v\nfirst\n%s, %v", second, errAgain, first, err)
	}
	m.Attributes.Value().Plain()
}
