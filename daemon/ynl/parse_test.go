// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config/strict"
)

// faults are specifications with one fault; the line with the fault has the mark «.
var faults = []struct{ name, text, want string }{
	{"a file without keys", "hello «", "1: is a single value, but must have keys; write name: ..."},
	{"unknown key", "name: x\nnested: 1 «", "1: nested: unknown key"},
	{
		"protocol", "name: x\nprotocol: netlink-raw «",
		`11: protocol: "netlink-raw" is not known; write genetlink, genetlink-c or genetlink-legacy`,
	},
	{"type", inSet("{name: a, type: u33} «"), `"u33" is not known`},
	{"no type", inSet("{name: a} «"), "type: is missing; write the type of the attribute, such as u32"},
	{"name with a dot", inSet("{name: a.b, type: u8} «"), `"a.b" is not a name; write at most 64 letters, digits and dashes`},
	{
		"number", inSet("{name: a, type: u8, value: 010} «"),
		`"010" is not a number; write decimal digits, or hexadecimal digits after 0x`,
	},
	{"large number", inSet("{name: a, type: u8, value: 16384} «"), "attribute 16384 does not exist; the largest number is 16383"},
	{
		"name of a family", "name: 0123456789abcdef «\n" + getOperation,
		"is not a name in the kernel; write at most 15 characters of ASCII",
	},
	{
		"same number", inSet("{name: a, type: u8}\n      - {name: b, type: u8, value: 1} «"),
		`has the number 1 of "a"; write its own number as value`,
	},
	{"same name", inSet("{name: a, type: u8}\n      - {name: a, type: u8} «"), `"a" is taken by attribute-sets[0].attributes[0]`},
	{"no set", inSet("{name: a, type: nest} «"), "nested-attributes: is missing; write the name of the attribute set of the nest"},
	{
		"unknown set", inSet("{name: a, type: nest, nested-attributes: mian} «"),
		`the attribute set "mian" is not defined; did you mean "main"?`,
	},
	{"unknown enum", inSet("{name: a, type: u8, enum: xyz} «"), `the enum "xyz" is not defined; define it`},
	{"unknown struct", inSet("{name: a, type: binary, struct: xyz} «"), `the struct "xyz" is not defined; define it`},
	{
		"sub-type", inSet("{name: a, type: binary, sub-type: string} «"),
		`"string" is not a number of a fixed size; write a type such as u32`,
	},
	{"no sub-type", inSet("{name: a, type: indexed-array} «"), "sub-type: is missing; write the type of the entries, such as nest"},
	{
		"array of arrays", inSet("{name: a, type: indexed-array, sub-type: array-nest} «"),
		"an array cannot have entries of type array-nest",
	},
	{"no type-value", inSet("{name: a, type: nest-type-value, nested-attributes: main} «"), "type-value: is missing"},
	{
		"type-value twice", inSet("{name: a, type: nest-type-value, type-value: [b, b], nested-attributes: main} «"),
		`contains "b" twice; rename one of them`,
	},
	{
		"type-value is an attribute", inSet("{name: a, type: nest-type-value, type-value: [a], nested-attributes: main} «"),
		`"a" is also an attribute of "main"; rename it`,
	},
	{"no selector", inSet("{name: a, type: sub-message, sub-message: s} «") + "sub-messages: [{name: s}]\n", "selector: is missing"},
	{
		"unknown sub-message", inSet("{name: a, type: sub-message, sub-message: s, selector: a} «"),
		`the sub-message "s" is not defined; define it`,
	},
	{"byte order", inSet("{name: a, type: u8, byte-order: big} «"), `"big" is not known; write big-endian or little-endian`},
	{"boolean", inSet("{name: a, type: u8, multi-attr: yes} «"), `"yes" is not a boolean; write true or false`},
	{
		"length", inDefinitions("{name: s, type: struct, members: [{name: a, type: pad, len: 2 + 1}]} «"),
		`"2 + 1" is not a length; write a number, or the name of a constant`,
	},
	{
		"struct of a member", inDefinitions("{name: s, type: struct, members: [{name: a, type: binary, struct: st}]} «"),
		`the struct "st" is not defined; write one of s`,
	},
	{"hint", inSet("{name: a, type: u8, display-hint: dec} «"), `"dec" is not known`},
	{
		"flag above 63", inDefinitions("{name: f, type: flags, entries: [{name: a, value: 64}]} «"),
		"bit 64 does not exist; the last bit is 63",
	},
	{"enum with a name twice", inDefinitions("{name: f, type: enum, entries: [a, a]} «"), `"a" is taken by`},
	{"empty struct", inDefinitions("{name: s, type: struct} «"), "members: are missing; a struct has at least one member"},
	{
		"struct in itself", inDefinitions("{name: s, type: struct, members: [{name: a, type: binary, struct: s}]} «"),
		"the struct contains itself; remove the member",
	},
	{
		"member without length", inDefinitions("{name: s, type: struct, members: [{name: a, type: string}]} «"),
		"len: is missing; a member of type string has a length",
	},
	{
		"member of length 0", inDefinitions("{name: s, type: struct, members: [{name: a, type: pad, len: 0}]} «"),
		"0 bytes are out of range; write 1 to 65536",
	},
	{
		"unknown constant", inDefinitions("{name: s, type: struct, members: [{name: a, type: pad, len: max}]} «"),
		`the constant "max" is not defined; define it, or write a number`,
	},
	{
		"large struct", inDefinitions("{name: s, type: struct, members: [{name: a, type: pad, len: 65536}, {name: b, type: u8}]} «"),
		"the struct has more than 65536 bytes; an attribute is smaller",
	},
	{
		"unknown notify", inOperations("{name: b, notify: c} «"),
		`the operation "c" is not defined; write the name of an operation with a reply`,
	},
	{"event without a set", inOperations("{name: b, event: {}} «"), "the attribute set is missing; write attribute-set"},
	{
		"overlay", inOperations("{name: b, notify: a, x-attribute-set: mainn} «"),
		`the attribute set "mainn" is not defined; did you mean "main"?`,
	},
	{"large command", inOperations("{name: b, notify: a, value: 256} «"), "command 256 does not exist; the largest number is 255"},
	{
		"command twice", inOperations("{name: b, notify: a, value: 1}\n    - {name: c, notify: a, value: 1} «"),
		`has the number 1 of "b"; write its own number as value`,
	},
	{"fixed header", inOperations("{name: b, notify: a, fixed-header: h} «"), `the struct "h" is not defined; define it`},
	{"full set of a sub-set", inSet("{name: a, type: u8}\n  - {name: s, subset-of: t} «"), `the attribute set "t" is not defined`},
	{
		"attribute of a sub-set", inSet("{name: abc, type: u8}\n  - {name: s, subset-of: main, attributes: [{name: abd}]} «"),
		`the attribute "abd" is not defined; did you mean "abc"?`,
	},
	{
		"sub-sets of each other", inSet("{name: a, type: u8}\n  - {name: s, subset-of: s} «"),
		"the sets are sub-sets of each other; write the name of a set with types",
	},
}

const getOperation = "operations:\n  list:\n    - {name: a, attribute-set: main, do: {}}\n"

func inSet(attributes string) string {
	return "name: x\nattribute-sets:\n  - name: main\n    attributes:\n      - " + attributes + "\n" + getOperation
}

func inDefinitions(list string) string {
	return "name: x\ndefinitions:\n  - " + list + "\nattribute-sets:\n  - {name: main, attributes: [{name: a, type: u8}]}\n" + getOperation
}

func inOperations(list string) string {
	return "name: x\nattribute-sets:\n  - {name: main, attributes: [{name: a, type: u8}]}\n" + getOperation + "    - " + list + "\n"
}

func TestFaultsHaveTheirLineAndColumn(t *testing.T) {
	for _, c := range faults {
		t.Run(c.name, func(t *testing.T) {
			before, after, _ := strings.Cut(c.text, " «")
			_, err := Parse("f.yaml", []byte(before+after))
			var list strict.Errors
			if !errors.As(err, &list) {
				t.Fatalf("error %v", err)
			}
			if len(list) != 1 || !strings.Contains(list[0].Error(), c.want) {
				t.Fatalf("got\n%v\nwant %s", err, c.want)
			}
			if line := 1 + strings.Count(before, "\n"); list[0].Line != line || list[0].Column == 0 || list[0].File != "f.yaml" {
				t.Errorf("%v is not in line %d", err, line)
			}
		})
	}
}

func TestNamesThatWouldBeInAnObjectTwice(t *testing.T) {
	text := setSpec("  - {name: h, type: struct, members: [{name: id, type: u32}]}\n", "      - {name: id, type: u8}\n")
	_, err := Parse("f.yaml", []byte(strings.Replace(text, "event: {}", "event: {}, fixed-header: h", 1)))
	if err == nil || !strings.Contains(err.Error(), `its member "id" is also an attribute of "main"; rename it`) {
		t.Errorf("error %v", err)
	}
}

func TestAllFaultsAreReportedTogether(t *testing.T) {
	three := strings.Join([]string{"{name: a, type: nest}", "{name: b, type: u8, enum: e}", "{name: c, type: indexed-array}"}, "\n      - ")
	_, err := Parse("f.yaml", []byte(inSet(three)))
	var list strict.Errors
	if !errors.As(err, &list) || len(list) != 3 {
		t.Errorf("got\n%v", err)
	}
	_, err = Parse("f.yaml", []byte(inSet("{name: a, type: nest}"+strings.Repeat("\n      - {name: b, type: nest}", 500))))
	if !errors.As(err, &list) || len(list) != 101 {
		t.Errorf("%d faults", len(list))
	}
}

func TestInstalledSpecificationsMayHaveNewKeys(t *testing.T) {
	text := strings.Replace(inSet("{name: a, type: u8, new-key: [1, {x: y}]}"), "do:", "newer: x, do:", 1)
	if _, err := Parse("f.yaml", []byte(text)); err == nil {
		t.Error("an unknown key is accepted")
	}
	spec, err := ParseInstalled("f.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range spec.Warnings {
		got = append(got, w.Path)
	}
	want := []string{"attribute-sets[0].attributes[0].new-key", "operations.list[0].newer"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warnings (-want +got)\n%s", diff)
	}
}

func TestKeysForGeneratorsOfCodeAreAccepted(t *testing.T) {
	mustParse(t, `
name: test
protocol: genetlink-c
uapi-header: linux/test.h
c-family-name: test-name
c-version-name: test-version
max-by-define: true
kernel-policy: per-op
version: 2
cmd-cnt-name: --after-last
kernel-family: {headers: [a.h, b.h], sock-priv: struct x}
doc:
definitions:
  - {name: e, type: enum, enum-name: , render-max: true, header: x.h, doc: text, entries: [{name: a, doc: }]}
attribute-sets:
  - name: main
    enum-name:
    attr-cnt-name: __cnt
    doc: |
      A text: with a colon.
    attributes:
      - {name: a, type: string, checks: {max-len: 16, unterminated-ok: true}, doc: x}
operations:
  name-prefix: cmd-
  async-enum:
  list:
    - name: get
      attribute-set: main
      flags: [admin-perm]
      dont-validate: [strict, dump]
      config-cond: net
      do: {pre: a, post: b, request: {attributes: [a]}, reply: {attributes: [a], value: 3}}
mcast-groups: {list: [{name: g, c-define-name: G, flags: [admin-perm]}]}
`)
}

// A file of a megabyte must not need a gigabyte of memory.
func TestSubsetsThatCopyManyAttributesAreRejected(t *testing.T) {
	var b strings.Builder
	b.WriteString("name: x\nattribute-sets:\n  - name: main\n    attributes:\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "      - {name: a%d, type: u8}\n", i)
	}
	for i := range 100 {
		fmt.Fprintf(&b, "  - {name: s%d, subset-of: main, attributes: [{name: a1}]}\n", i)
	}
	if _, err := Parse("f.yaml", []byte(b.String()+getOperation)); err != nil {
		t.Errorf("sub-sets without changes: %v", err)
	}
	for i := range 51 {
		fmt.Fprintf(&b, "  - {name: c%d, subset-of: main, attributes: [{name: a1, type: u16}]}\n", i)
	}
	_, err := Parse("f.yaml", []byte(b.String()+getOperation))
	if err == nil || !strings.Contains(err.Error(), "sub-sets copy more than 100000 attributes") {
		t.Errorf("error %v", err)
	}
}

func TestASpecificationWithoutOperations(t *testing.T) {
	_, err := Parse("f.yaml", []byte("name: x\n"))
	if err == nil || err.Error() != "f.yaml: operations: are missing; write a list of the family's commands" {
		t.Errorf("error %v", err)
	}
}
