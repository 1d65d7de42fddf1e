// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"bytes"
	"strings"
	"sync"
	"testing"
)

const allTypes = `
  - name: state
    type: enum
    value-start: 1
    entries: [down, up, {name: far, value: 70000}, next, {name: alias, value: 2}]
  - name: caps
    type: flags
    entries: [tx, rx, {name: top, value: 63}]
  - {name: width, type: const, value: 3}
  - name: inner
    type: struct
    members:
      - {name: a, type: u8}
      - {name: gap, type: pad, len: 1}
      - {name: b, type: u16, byte-order: big-endian}
  - name: outer
    type: struct
    members:
      - {name: label, type: string, len: width}
      - {name: raw, type: binary, len: width - 1}
      - {name: filler, type: pad, len: 3}
      - {name: state, type: u32, enum: state}
      - {name: in, type: binary, struct: inner}
`

func TestScalars(t *testing.T) {
	spec := mustParse(t, setSpec(allTypes, `
      - {name: u8, type: u8}
      - {name: u16, type: u16}
      - {name: u32, type: u32}
      - {name: u64, type: u64}
      - {name: s8, type: s8}
      - {name: s16, type: s16}
      - {name: s32, type: s32}
      - {name: s64, type: s64}
      - {name: uint, type: uint}
      - {name: sint, type: sint}
      - {name: be16, type: u16, byte-order: big-endian}
      - {name: le32, type: u32, byte-order: little-endian}
      - {name: state, type: u32, enum: state}
      - {name: caps, type: u64, enum: caps}
      - {name: bits, type: u8, enum: state, enum-as-flags: true}
      - {name: ip, type: u32, byte-order: big-endian, display-hint: ipv4}
      - {name: native-ip, type: u32, display-hint: ipv4}
      - {name: le-ip, type: u32, byte-order: little-endian, display-hint: ipv4}
      - {name: old, type: unused}
      - {name: new, type: u8, value: 19}
`))
	for want, attribute := range map[string][]byte{
		`{"u8":255}`:                         nla(1, u8(255)),
		`{"u16":65535}`:                      nla(2, u16(65535)),
		`{"u32":4294967295}`:                 nla(3, u32(0xffffffff)),
		`{"u64":"18446744073709551615"}`:     nla(4, u64(1<<64-1)),
		`{"s8":-128}`:                        nla(5, u8(0x80)),
		`{"s16":-1}`:                         nla(6, u16(0xffff)),
		`{"s32":-2}`:                         nla(7, u32(0xfffffffe)),
		`{"s64":-3}`:                         nla(8, u64(1<<64-3)),
		`{"uint":5}`:                         nla(9, u32(5)),
		`{"uint":6}`:                         nla(9, u64(6)),
		`{"sint":-7}`:                        nla(10, u32(0xfffffff9)),
		`{"sint":-8}`:                        nla(10, u64(1<<64-8)),
		`{"be16":258}`:                       nla(11, []byte{1, 2}),
		`{"le32":1}`:                         nla(12, []byte{1, 0, 0, 0}),
		`{"state":"down"}`:                   nla(13, u32(1)),
		`{"state":"far"}`:                    nla(13, u32(70000)),
		`{"state":"next"}`:                   nla(13, u32(70001)),
		`{"state":"up"}`:                     nla(13, u32(2)), // not its alias
		`{"state":0}`:                        nla(13, u32(0)),
		`{"caps":["tx","top"]}`:              nla(14, u64(1<<63+1)),
		`{"caps":["rx","9007199254740996"]}`: nla(14, u64(1<<53+1<<2+2)),
		`{"caps":[]}`:                        nla(14, u64(0)),
		`{"bits":["down","up"]}`:             nla(15, u8(6)),
		`{"ip":"192.0.2.7"}`:                 nla(16, []byte{192, 0, 2, 7}),
		`{"le-ip":"192.0.2.7"}`:              nla(18, []byte{7, 2, 0, 192}),
		`{"new":3}`:                          nla(19, u8(3)),
		`{"native-ip":"192.0.2.7"}`:          nla(17, u32(192<<24+2<<8+7)),
	} {
		check(t, spec, payload(1, attribute), want, "")
	}
}

func TestTypesWithoutNumbers(t *testing.T) {
	spec := mustParse(t, setSpec(allTypes, `
      - {name: pad, type: pad}
      - {name: flag, type: flag}
      - {name: text, type: string}
      - {name: raw, type: binary}
      - {name: mac, type: binary, display-hint: mac}
      - {name: ip, type: binary, display-hint: ipv4-or-v6}
      - {name: id, type: binary, display-hint: uuid}
      - {name: numbers, type: binary, sub-type: u16}
      - {name: states, type: binary, sub-type: u8, enum: state}
      - {name: layout, type: binary, struct: outer}
      - {name: bitfield, type: bitfield32, enum: caps}
      - {name: plain-bitfield, type: bitfield32}
      - {name: gone, type: unused}
      - {name: many, type: u8, multi-attr: true}
      - {name: enum-bitfield, type: bitfield32, enum: state}
      - {name: flags-bitfield, type: bitfield32, enum: state, enum-as-flags: true}
`))
	for want, attributes := range map[string][]byte{
		`{}`:                          nla(1),
		`{"pad":"00"}`:                nla(1, u8(0)),
		`{"pad":["","07"]}`:           concat(nla(1), nla(1, u8(7))),
		`{"flag":true,"text":"p"}`:    concat(nla(1), nla(2), nla(1), nla(3, str("p")), nla(1)),
		`{"flag":true}`:               nla(2),
		`{"text":"eth0"}`:             nla(3, str("eth0")),
		`{"text":""}`:                 nla(3, str("")),
		`{"text":"a\u0000b"}`:         nla(3, []byte("a\x00b\x00\x00")),
		`{"raw":"0001ff"}`:            nla(4, []byte{0, 1, 255}),
		`{"mac":"02:00:00:00:00:01"}`: nla(5, []byte{2, 0, 0, 0, 0, 1}),
		`{"ip":"::1"}`:                nla(6, make([]byte, 15), u8(1)),
		`{"ip":"10.0.0.1"}`:           nla(6, []byte{10, 0, 0, 1}),
		`{"id":"01000000-0000-0000-0000-000000000002"}`:        nla(7, u8(1), make([]byte, 14), u8(2)),
		`{"numbers":[1,2]}`:                                    nla(8, u16(1), u16(2)),
		`{"numbers":[]}`:                                       nla(8),
		`{"states":["up",9]}`:                                  nla(9, u8(2), u8(9)),
		`{"bitfield":{"value":["rx"],"selector":["tx","rx"]}}`: nla(11, u32(2), u32(3)),
		`{"enum-bitfield":{"value":"down","selector":9}}`:      nla(15, u32(1), u32(9)),
		`{"flags-bitfield":{"value":["down"],"selector":[]}}`:  nla(16, u32(2), u32(0)),
		`{"plain-bitfield":{"value":2,"selector":3}}`:          nla(12, u32(2), u32(3)),
		`{"13":"05"}`:                nla(13, u8(5)),
		`{"many":[7]}`:               nla(14, u8(7)),
		`{"many":[7,8],"flag":true}`: concat(nla(14, u8(7)), nla(2), nla(14, u8(8))),
	} {
		check(t, spec, payload(1, attributes), want, "")
	}
}

func TestStructs(t *testing.T) {
	spec := mustParse(t, setSpec(allTypes, "      - {name: s, type: binary, struct: outer}\n"))
	whole := concat([]byte("ab\x00\x0a\x0b---"), u32(2), []byte{9, 0, 1, 2})
	for want, data := range map[string][]byte{
		`{"s":{"label":"ab","raw":"0a0b","state":"up","in":{"a":9,"b":258}}}`:           whole,
		`{"s":{"label":"ab","raw":"0a0b","state":"up","in":{"a":9,"b":258},"16":"ee"}}`: append(whole[:16:16], 0xee),
		`{"s":{"label":"ab","raw":"0a0b","state":"up"}}`:                                whole[:12],
		`{"s":{"label":"ab","raw":"0a0b","8":"0200"}}`:                                  whole[:10],
		`{"s":{}}`: nil,
	} {
		check(t, spec, payload(1, nla(1, data)), want, "")
	}
}

const nested = `
  - name: link
    attributes:
      - {name: index, type: u32}
      - {name: name, type: string}
      - {name: link, type: nest, nested-attributes: link}
      - {name: far, type: nest-type-value, value: 5000, type-value: [y], nested-attributes: no-index}
  - name: no-index
    attributes:
      - {name: name, type: string}
  - name: deep-subset
    subset-of: link-name
    attributes: [{name: link, multi-attr: true}, {name: far, type-value: [z]}]
  - name: link-name
    subset-of: link
    attributes: [{name: name, display-hint: mac, type: binary}, {name: link, nested-attributes: no-index}]
`

func TestNests(t *testing.T) {
	spec := mustParse(t, setSpec("", `
      - {name: link, type: nest, nested-attributes: link}
      - {name: array, type: indexed-array, sub-type: nest, nested-attributes: no-index}
      - {name: old-array, type: array-nest, nested-attributes: link}
      - {name: numbers, type: indexed-array, sub-type: u16}
      - {name: policy, type: nest-type-value, type-value: [policy-id, attr-id], nested-attributes: no-index}
      - {name: subset, type: nest, nested-attributes: link-name}
      - {name: links, type: nest, multi-attr: true, nested-attributes: link}
      - {name: deep-subset, type: nest, nested-attributes: deep-subset}
`, nested))
	const isNest = 0x8000
	for want, attributes := range map[string][]byte{
		`{"link":{"index":1,"link":{"name":"in"}}}`: nla(1|isNest, nla(1, u32(1)), nla(3, nla(2, str("in")))),
		`{"link":{}}`: nla(1),
		`{"array":[{"index":3,"name":"x"},{"index":1}]}`:         nla(2, nla(3, nla(1, str("x"))), nla(1)),
		`{"old-array":[{"name":"x","index":7}]}`:                 nla(3, nla(1, nla(2, str("x")), nla(1, u32(7)))),
		`{"numbers":[5,6]}`:                                      nla(4, nla(0, u16(5)), nla(1, u16(6))),
		`{"policy":{"policy-id":4,"attr-id":9,"name":"p"}}`:      nla(5, nla(4, nla(9, nla(1, str("p"))))),
		`{"deep-subset":{"name":"01:02","link":[{"name":"x"}]}}`: nla(8, nla(2, []byte{1, 2}), nla(3, nla(1, str("x")))),
		`{"deep-subset":{"far":{"z":2}},"link":{"far":{"y":2}}}`: concat(nla(8, nla(5000, nla(2))), nla(1, nla(5000, nla(2)))),
		`{"subset":{"index":1,"name":"01:02"}}`:                  nla(6, nla(1, u32(1)), nla(2, []byte{1, 2})),
		`{"links":[{"name":"a"},{"index":2}],"numbers":[]}`:      concat(nla(7, nla(2, str("a"))), nla(4), nla(7, nla(1, u32(2)))),
		`{"link":[{"index":1},{"index":2}]}`:                     concat(nla(1, nla(1, u32(1))), nla(1, nla(1, u32(2)))),
		`{"99":"0102","100":["01","02"]}`:                        concat(nla(99, []byte{1, 2}), nla(100, u8(1)), nla(100, u8(2))),
		`{"link":{"77":"08"}}`:                                   nla(1, nla(77|isNest|0x4000, u8(8))),
	} {
		check(t, spec, payload(1, attributes), want, "")
	}
}

func TestSubMessages(t *testing.T) {
	spec := mustParse(t, setSpec(allTypes, `
      - {name: kind, type: string}
      - {name: data, type: sub-message, sub-message: data, selector: kind}
      - {name: box, type: nest, nested-attributes: box}
`, `
  - name: box
    attributes:
      - {name: data, type: sub-message, sub-message: data, selector: kind}
  - name: vlan
    attributes: [{name: id, type: u16}]
sub-messages:
  - name: data
    formats:
      - {value: vlan, attribute-set: vlan}
      - {value: header, fixed-header: inner}
      - {value: both, fixed-header: inner, attribute-set: vlan}
`))
	inner := []byte{1, 0, 0, 2}
	for want, attributes := range map[string][]byte{
		`{"kind":"vlan","data":{"id":5}}`:             concat(nla(1, str("vlan")), nla(2, nla(1, u16(5)))),
		`{"kind":"vlan","box":{"data":{"id":5}}}`:     concat(nla(1, str("vlan")), nla(3, nla(1, nla(1, u16(5))))),
		`{"kind":"header","data":{"a":1,"b":2}}`:      concat(nla(1, str("header")), nla(2, inner)),
		`{"kind":"both","data":{"a":1,"b":2,"id":7}}`: concat(nla(1, str("both")), nla(2, inner, nla(1, u16(7)))),
		`{"kind":"new","data":"01000002"}`:            concat(nla(1, str("new")), nla(2, inner)),
	} {
		check(t, spec, payload(1, attributes), want, "")
	}
	check(t, spec, payload(1, nla(2, inner)), `{"data":"01000002"}`,
		"data: the attribute kind, which selects the format, is missing")
}

func TestValuesWhoseTypeAnotherAttributeNames(t *testing.T) {
	spec := mustParse(t, setSpec("  - {name: types, type: enum, entries: [none, u8, u16, string, flag, nul-string, binary, s32]}\n", `
      - {name: type, type: u8, enum: types}
      - {name: value, type: binary, x-type-of: type}
      - {name: box, type: nest, nested-attributes: main}
`))
	for want, attributes := range map[string][]byte{
		`{"type":"u8","value":7}`:              concat(nla(1, u8(1)), nla(2, u8(7))),
		`{"type":"u16","box":{"value":8}}`:     concat(nla(1, u8(2)), nla(3, nla(2, u16(8)))),
		`{"type":"string","value":"x"}`:        concat(nla(1, u8(3)), nla(2, str("x"))),
		`{"type":"nul-string","value":"x"}`:    concat(nla(1, u8(5)), nla(2, str("x"))),
		`{"type":"flag","value":true}`:         concat(nla(1, u8(4)), nla(2)),
		`{"type":"flag","value":false}`:        concat(nla(1, u8(4)), nla(2, u8(0))),
		`{"type":"flag","box":{"value":true}}`: concat(nla(1, u8(4)), nla(3, nla(2, u8(1)))),
		`{"type":"s32","value":-1}`:            concat(nla(1, u8(7)), nla(2, u32(0xffffffff))),
		`{"type":"binary","value":"09"}`:       concat(nla(1, u8(6)), nla(2, u8(9))),
		`{"type":99,"value":"09"}`:             concat(nla(1, u8(99)), nla(2, u8(9))),
		`{"value":"09","type":"u8"}`:           concat(nla(2, u8(9)), nla(1, u8(1))),
	} {
		check(t, spec, payload(1, attributes), want, "")
	}
	check(t, spec, payload(1, nla(1, u8(2)), nla(2, u8(7))), `{"type":"u16","value":"07"}`, "value: 1 bytes are not of type u16")
}

func TestFixedHeader(t *testing.T) {
	text := setSpec(allTypes, "      - {name: id, type: u8}\n")
	spec := mustParse(t, strings.Replace(text, "  list:\n", "  fixed-header: inner\n  list:\n", 1))
	check(t, spec, payload(1, []byte{1, 0, 0, 2}, nla(1, u8(3))), `{"a":1,"b":2,"id":3}`, "")
	check(t, spec, payload(1, []byte{1, 0, 0}), `{"a":1,"2":"00"}`, "3 bytes are too short for the fixed header, which has 4")
}

func TestCommands(t *testing.T) {
	spec := mustParse(t, `
name: test
attribute-sets:
  - name: one
    attributes: [{name: one, type: u8}]
  - name: two
    attributes: [{name: two, type: u8}]
operations:
  x-attribute-set: two
  list:
    - {name: get, attribute-set: one, do: {reply: {attributes: [one]}}}
    - {name: change-ntf, notify: get, mcgrp: events}
    - {name: reserved}
    - {name: also-get, value: 2, attribute-set: two, do: {reply: {attributes: [two]}}}
    - {name: overlaid-ntf, notify: get, x-attribute-set: two}
mcast-groups: {list: [{name: events}, {name: more}]}
`)
	for number, want := range map[uint8]string{1: "get", 2: "change-ntf", 3: "overlaid-ntf", 4: ""} {
		if got := spec.Command(number); got != want {
			t.Errorf("command %d: got %q, want %q", number, got, want)
		}
	}
	var d Decoder
	for number, want := range map[uint8]string{
		2: `change-ntf events {"one":9}`, 3: `overlaid-ntf  {"two":9}`, 200: `200  {"two":9}`,
	} {
		m, err := d.Decode(spec, payload(number, nla(1, u8(9))))
		got := m.Command + " " + m.Group + " " + string(m.Attributes.AppendJSON(nil))
		if err != nil || got != want || m.Number != number || m.Version != 1 {
			t.Errorf("command %d: got %s, number %d, version %d, error %v, want %s", number, got, m.Number, m.Version, err, want)
		}
	}
	if got := strings.Join(spec.Groups, " "); spec.Family != "test" || got != "events more" {
		t.Errorf("family %s, groups %s", spec.Family, got)
	}
}

func TestDirectionalCommandsCountMessagesOfTheKernelAlone(t *testing.T) {
	spec := mustParse(t, `
name: test
attribute-sets: [{name: s, attributes: [{name: a, type: u8}]}]
operations:
  enum-model: directional
  list:
    - {name: get, attribute-set: s, do: {request: {value: 9}, reply: {attributes: [a]}}}
    - {name: ntf, notify: get}
    - {name: set, attribute-set: s, do: {request: {attributes: [a]}}}
    - {name: other-ntf, attribute-set: s, event: {attributes: [a]}}
    - {name: dump, attribute-set: s, dump: {reply: {value: 20}}}
    - {name: last-ntf, attribute-set: s, event: {}}
`)
	for number, want := range map[uint8]string{1: "get", 2: "ntf", 3: "other-ntf", 9: "", 20: "dump", 21: "last-ntf"} {
		if got := spec.Command(number); got != want {
			t.Errorf("command %d: got %q, want %q", number, got, want)
		}
	}
}

// A Spec does not change, so decoders of all workers share it.
func TestDecodersShareASpecification(t *testing.T) {
	spec, message := tenAttributes(t)
	var want Decoder
	m, err := want.Decode(spec, message)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			var d Decoder
			for range 100 {
				got, err := d.Decode(spec, message)
				if err != nil || !bytes.Equal(got.Attributes.AppendJSON(nil), m.Attributes.AppendJSON(nil)) {
					t.Errorf("got %s, error %v", got.Attributes.AppendJSON(nil), err)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestWithoutASpecificationAttributesHaveNumbers(t *testing.T) {
	check(t, nil, payload(7, nla(1, u32(0x01010101)), nla(2, str("x")), nla(1)), `{"1":["01010101",""],"2":"7800"}`, "")
	var d Decoder
	if m, _ := d.Decode(nil, payload(7)); m.Command != "7" || m.Number != 7 || (*Spec)(nil).Command(7) != "" {
		t.Errorf("got %+v", m)
	}
}
