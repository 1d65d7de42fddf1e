// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"weak"
)

const malformedSet = `
      - {name: n, type: u32}
      - {name: nest, type: nest, nested-attributes: main}
      - {name: flag, type: flag}
      - {name: bits, type: bitfield32}
      - {name: array, type: indexed-array, sub-type: nest, nested-attributes: main}
      - {name: numbers, type: binary, sub-type: u16}
      - {name: u, type: uint}
      - {name: tv, type: nest-type-value, type-value: [x, y], nested-attributes: main}
`

func TestAMalformedMessageKeepsItsParts(t *testing.T) {
	spec := mustParse(t, setSpec("", malformedSet))
	n := nla(1, u32(5))
	for _, c := range []struct {
		name    string
		message []byte
		want    string
		err     string
	}{
		{"short number", payload(1, nla(1, u16(5)), n), `{"n":["0500",5]}`, "n: 2 bytes are not of type u32"},
		{"short uint", payload(1, nla(7, u16(5))), `{"u":"0500"}`, "u: 2 bytes are not of type uint"},
		{"empty uint", payload(1, nla(7)), `{"u":""}`, "u: 0 bytes are not of type uint"},
		{"flag with content", payload(1, nla(3, u8(1)), n), `{"flag":"01","n":5}`, "flag: 1 bytes are not of type flag, which is empty"},
		{"short bitfield", payload(1, nla(4, u32(1))), `{"bits":"01000000"}`, "bits: 4 bytes are not of type bitfield32"},
		{"odd array", payload(1, nla(6, []byte{1, 2, 3})), `{"numbers":"010203"}`, "numbers: 3 bytes are not an array of type u16"},
		{"rest", payload(1, n, []byte{1, 2}), `{"n":5}`, "2 bytes after 8 bytes are not an attribute"},
		{"length too small", payload(1, n, []byte{3, 0, 1, 0}), `{"n":5}`, "4 bytes after 8 bytes are not an attribute"},
		{"length too large", payload(1, n, []byte{9, 0, 1, 0, 1, 2, 3, 4}), `{"n":5}`, "8 bytes after 8 bytes are not an attribute"},
		{
			"within a nest", payload(1, nla(2, n, []byte{9, 0, 1, 0}), n), `{"nest":{"n":5},"n":5}`,
			"nest: 4 bytes after 8 bytes are not an attribute",
		},
		{
			"first fault only", payload(1, nla(2, nla(1)), nla(1)), `{"nest":{"n":""},"n":""}`,
			"nest.n: 0 bytes are not of type u32",
		},
		{
			"array", payload(1, nla(5, nla(0, n), []byte{1, 0})), `{"array":[{"index":0,"n":5}]}`,
			"array: 2 bytes of the array are not an entry",
		},
		{
			"type value", payload(1, nla(8, nla(3, u32(1)))), `{"tv":{"x":3,"y":"01000000"}}`,
			"tv.y: 4 bytes are not one attribute",
		},
		{"unpadded end", payload(1, nla(99, u8(1))[:5]), `{"99":"01"}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) { check(t, spec, c.message, c.want, c.err) })
	}
}

func TestAMessageWithoutHeader(t *testing.T) {
	var d Decoder
	m, err := d.Decode(nil, []byte{1, 2, 3})
	if err == nil || err.Error() != "3 bytes are not a Generic Netlink message; its header has 4" {
		t.Errorf("error %v", err)
	}
	if got := string(m.Attributes.AppendJSON(nil)); got != "{}" {
		t.Errorf("attributes %s", got)
	}
}

// A set may contain itself, so only the message bounds the depth.
func TestDeepNestsAreKeptAsBytes(t *testing.T) {
	spec := mustParse(t, setSpec("", malformedSet))
	message := nla(1, u32(5))
	for range 5000 {
		message = nla(2, message)
	}
	var d Decoder
	m, err := d.Decode(spec, payload(1, message))
	if err == nil || !strings.HasSuffix(err.Error(), "nest: values are nested more than 32 times") {
		t.Errorf("error %v", err)
	}
	inner, ok := m.Attributes.Lookup(strings.Repeat("nest.", maxDepth) + "nest")
	if !ok || len(inner.Bytes()) != len(message)-(maxDepth+1)*attrHeader {
		t.Errorf("found %t, %d bytes", ok, len(inner.Bytes()))
	}
}

func TestManyNestsBesideEachOtherAreNotDeep(t *testing.T) {
	spec := mustParse(t, setSpec("", malformedSet))
	message := payload(1)
	for range 3 * maxDepth {
		message = append(message, nla(2, nla(2, nla(1, u32(5))))...)
	}
	var d Decoder
	m, err := d.Decode(spec, message)
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := m.Attributes.Lookup(fmt.Sprintf("nest.%d.nest.n", 3*maxDepth-1)); v.Uint() != 5 {
		t.Errorf("the last nest is %s", v.AppendJSON(nil))
	}
}

// A message can be a part of a large buffer, which a decoder at rest must not keep alive.
func TestADecoderDoesNotKeepEarlierMessages(t *testing.T) {
	spec := mustParse(t, setSpec("", malformedSet))
	var d Decoder
	decode := func() weak.Pointer[byte] {
		message := payload(1, nla(2, nla(2, nla(9, make([]byte, 64)))), nla(9, make([]byte, 64)))
		if _, err := d.Decode(spec, message); err != nil {
			t.Fatal(err)
		}
		return weak.Make(&message[0])
	}
	first := decode()
	if _, err := d.Decode(spec, payload(1)); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	if first.Value() != nil {
		t.Error("the first message is still in memory after the second one")
	}
	runtime.KeepAlive(&d)
}

func TestDeepStructsAreKeptAsBytes(t *testing.T) {
	definitions := "  - {name: s0, type: struct, members: [{name: a, type: u8}]}\n"
	for i := range 2 * maxDepth {
		members := fmt.Sprintf("[{name: b, type: u8}, {name: s, type: binary, struct: s%d}]", i)
		definitions += fmt.Sprintf("  - {name: s%d, type: struct, members: %s}\n", i+1, members)
	}
	spec := mustParse(t, setSpec(definitions, fmt.Sprintf("      - {name: s, type: binary, struct: s%d}\n", 2*maxDepth)))
	var d Decoder
	m, err := d.Decode(spec, payload(1, nla(1, make([]byte, 2*maxDepth+1))))
	if err == nil || !strings.HasSuffix(err.Error(), ".s: values are nested more than 32 times") {
		t.Errorf("error %v", err)
	}
	inner, _ := m.Attributes.Lookup("s" + strings.Repeat(".s", maxDepth))
	if len(inner.Bytes()) != maxDepth+1 {
		t.Errorf("the innermost value has %d bytes", len(inner.Bytes()))
	}
}

// Attributes that occur several times are found without comparing each with each.
func TestManyAttributesAreDecodedInLinearTime(t *testing.T) {
	var message []byte
	for number := range uint16(16000) {
		message = append(message, nla(number)...)
	}
	message = append(message, nla(3, u8(1))...)
	var d Decoder
	m, err := d.Decode(nil, payload(1, message))
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := m.Attributes.Lookup("3.1"); string(v.AppendText(nil)) != "01" {
		t.Errorf("the repeated attribute is %s", v.AppendJSON(nil))
	}
	if !json.Valid(m.Attributes.AppendJSON(nil)) {
		t.Error("not valid JSON")
	}
}
