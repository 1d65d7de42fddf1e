// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
)

func TestFieldsHaveTheTypesOfTheSpecification(t *testing.T) {
	spec := mustParse(t, setSpec(allTypes, `
      - {name: header, type: nest, nested-attributes: link}
      - {name: links, type: nest, nested-attributes: link, multi-attr: true}
      - {name: state, type: u32, enum: state}
      - {name: caps, type: u64, enum: caps}
      - {name: ip, type: u32, display-hint: ipv4}
      - {name: mac, type: binary, display-hint: mac}
      - {name: speed, type: uint}
      - {name: many, type: u32, multi-attr: true}
      - {name: names, type: string, multi-attr: true}
      - {name: carrier, type: flag}
      - {name: box, type: binary, struct: outer}
      - {name: words, type: binary, sub-type: u16}
      - {name: array, type: indexed-array, sub-type: nest, nested-attributes: link}
      - {name: strings, type: indexed-array, sub-type: string}
      - {name: keyed, type: nest-type-value, type-value: [key], nested-attributes: link}
      - {name: mask, type: bitfield32, enum: caps, enum-as-flags: true}
      - {name: old, type: unused}
`, nested))
	for path, want := range map[string]ValueType{
		"header": ObjectType, "header.name": TextType, "header.99": TextType, "links": ListType, "links.0": ObjectType, "links.7.name": TextType,
		"state": TextType, "caps": TextsType, "caps.1": TextType, "ip": TextType, "mac": TextType, "speed": NumberType, "many": NumbersType,
		"many.0": NumberType, "names": TextsType, "carrier": FlagType, "box": ObjectType, "box.in.b": NumberType, "box.label": TextType,
		"words": NumbersType, "words.1": NumberType, "array": ListType, "array.0": ObjectType, "array.0.index": NumberType,
		"array.0.name": TextType, "strings": TextsType, "strings.3": TextType, "keyed": ObjectType, "keyed.key": NumberType,
		"keyed.name": TextType, "mask": ObjectType, "mask.value": TextsType, "mask.selector": TextsType, "17": TextType,
		"old": 0, "headers": 0, "header.nam": 0, "speed.0": 0, "state.x": 0, "carrier.0": 0, "array.name": 0, "links.name": 0, "": 0,
	} {
		field, ok := spec.Field(strings.Split(path, "."))
		if field.Type != want || ok != (want != 0) {
			t.Errorf("%s has the type %d, want %d", path, field.Type, want)
		}
	}
	for path, want := range map[string][]string{
		"state": {"down", "far", "next", "up"}, "caps": {"rx", "top", "tx"}, "caps.0": {"rx", "top", "tx"},
		"mask.value": {"rx", "top", "tx"}, "names": nil,
	} {
		field, _ := spec.Field(strings.Split(path, "."))
		if diff := cmp.Diff(want, field.Values); diff != "" {
			t.Errorf("values of %s (-want +got):\n%s", path, diff)
		}
	}
	all, _ := spec.Field(nil)
	if all.Type != ObjectType || !slices.Contains(all.Names, "header") || slices.Contains(all.Names, "old") {
		t.Errorf("the attributes are %+v", all)
	}
}

func TestAFieldOfTwoTypesIsAText(t *testing.T) {
	number, text := Field{Type: NumberType}, Field{Type: TextType, Values: []string{"a"}}
	enum := Field{Type: TextType, Values: []string{"b"}}
	for _, c := range []struct{ a, b, want Field }{
		{number, number, number},
		{number, text, Field{Type: TextType}},
		{text, enum, Field{Type: TextType, Values: []string{"a", "b"}}},
		{text, Field{Type: TextType}, Field{Type: TextType}},
		{
			Field{Type: ObjectType, Names: []string{"a", "b"}},
			Field{Type: ObjectType, Names: []string{"b", "c"}},
			Field{Type: ObjectType, Names: []string{"a", "b", "c"}},
		},
	} {
		if diff := cmp.Diff(c.want, c.a.Combine(c.b)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestCommandsAreThoseOfEvents(t *testing.T) {
	spec, err := Embedded("ethtool")
	if err != nil {
		t.Fatal(err)
	}
	commands := spec.Commands()
	if !slices.Contains(commands, "features-ntf") || !slices.IsSorted(commands) {
		t.Errorf("commands %q", commands)
	}
}

// Random messages of each specification contain only values that Field describes.
func TestFieldDescribesEachDecodedValue(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, family := range []string{"ethtool", "netdev", "devlink", "mptcp_pm", "nlctrl", "thermal", "acpi_event"} {
		spec, err := Embedded(family)
		if err != nil {
			t.Fatal(err)
		}
		values := 0
		for range 300 {
			number := uint8(random.UintN(256))
			c := spec.command(number)
			if c == nil {
				continue
			}
			g := generator{random: random}
			payload := append([]byte{number, 1, 0, 0}, g.message(c)...)
			var d Decoder
			m, _ := d.Decode(spec, payload)
			values += checkFields(t, spec, nil, m.Attributes.Value())
		}
		if values == 0 {
			t.Errorf("%s has no values", family)
		}
	}
}

func checkFields(t *testing.T, spec *Spec, path []string, v event.Value) (values int) {
	field, ok := spec.Field(path)
	if !ok || !describes(field.Type, v) {
		t.Errorf("%s of %s has the type %d, and the value %s", strings.Join(path, "."), spec.Family, field.Type, v.AppendJSON(nil))
		return 1
	}
	for name, value := range v.Fields() {
		values += checkFields(t, spec, append(path[:len(path):len(path)], PathName(name)), value)
	}
	entry := 0
	for value := range v.Items() {
		values += checkFields(t, spec, append(path[:len(path):len(path)], strconv.Itoa(entry)), value)
		entry++
	}
	return values + 1
}

func describes(of ValueType, v event.Value) bool {
	switch v.Kind() {
	case event.ObjectValue:
		return of == ObjectType || of == TextType // in another command the name can have another type
	case event.ListValue:
		return of == TextsType || of == NumbersType || of == ListType || of == TextType
	case event.UintValue, event.IntValue:
		return of == NumberType || of == TextType
	case event.BoolValue:
		return of == FlagType || of == TextType
	}
	return of == TextType
}

func FuzzField(f *testing.F) {
	spec, err := Embedded("ethtool")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("header.dev_name")
	f.Add("wanted.bits.bit.0.name")
	f.Fuzz(func(t *testing.T, path string) {
		if field, ok := spec.Field(strings.Split(path, ".")); ok != (field.Type != 0) {
			t.Errorf("%q: %+v, %t", path, field, ok)
		}
	})
}
