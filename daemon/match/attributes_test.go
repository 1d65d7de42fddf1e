// SPDX-License-Identifier: Apache-2.0

package match

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/ynl"
)

const linkSpec = `
name: linkflap
definitions:
  - {name: state, type: enum, entries: [down, up]}
  - {name: caps, type: flags, entries: [tx, rx]}
attribute-sets:
  - name: dev
    attributes:
      - {name: dev-name, type: string}
      - {name: dev-index, type: u32}
      - {name: tx/rx, type: u32}
  - name: link
    attributes:
      - {name: header, type: nest, nested-attributes: dev}
      - {name: state, type: u32, enum: state}
      - {name: caps, type: u32, enum: caps}
      - {name: flaps, type: u64}
      - {name: carrier, type: flag}
      - {name: many, type: u32, multi-attr: true}
      - {name: ports, type: nest, nested-attributes: dev, multi-attr: true}
operations:
  list:
    - {name: flap-ntf, value: 1, attribute-set: link, event: {}}
`

// linkVocabulary is that of linkflap, and of a family whose types are not known.
func linkVocabulary(t testing.TB) Vocabulary {
	t.Helper()
	spec, err := ynl.Parse("linkflap.yaml", []byte(linkSpec))
	if err != nil {
		t.Fatal(err)
	}
	v := vocabulary()
	v.Attributes = func(path []string) (ynl.Field, bool) {
		if len(path) > 0 && path[0] == "unclear" {
			return ynl.Field{}, true
		}
		return spec.Field(path)
	}
	return v
}

func linkEvent(build func(b *event.ObjectBuilder)) *event.Event {
	var b event.ObjectBuilder
	b.Reset()
	build(&b)
	e := newEvent(1, 0, "")
	e.Message, e.Family, e.Group = nil, "linkflap", "events"
	e.Content = &event.Content{Command: "flap-ntf", Attributes: b.Object()}
	return e
}

func fullLink() *event.Event {
	return linkEvent(func(b *event.ObjectBuilder) {
		b.BeginObject("header")
		b.Text("dev-name", []byte("eth0"))
		b.Uint("dev-index", 2)
		b.Uint("tx/rx", 4)
		b.Text("9", []byte("ab"))
		b.End()
		b.Text("state", []byte("up"))
		b.BeginList("caps")
		b.Text("", []byte("tx"))
		b.Uint("", 4)
		b.End()
		b.Uint("flaps", 1<<63)
		b.Bool("carrier", true)
		b.BeginList("many")
		b.Uint("", 7)
		b.Uint("", 8)
		b.End()
		b.BeginList("ports")
		b.BeginObject("")
		b.Text("dev-name", []byte("eth1"))
		b.End()
		b.End()
		b.Int("unclear", 5)
	})
}

func TestFiltersSeeAttributesByType(t *testing.T) {
	all, none, text := fullLink(), linkEvent(func(*event.ObjectBuilder) {}), newEvent(2, 0, "hello")
	gap := newEvent(3, 0, "")
	gap.Gap = &event.Gap{Count: 1}
	for filter, want := range map[string][2]bool{ // with all attributes, and without attributes
		`attributes.header.dev_name == "eth0"`:               {true, false},
		`attributes["header"]["dev-name"] == "eth0"`:         {true, false},
		`attributes?.header?.dev_name contains "eth"`:        {true, false},
		`attributes.header.dev_index > 1`:                    {true, false},
		`attributes.header.dev_index != 2`:                   {false, true},
		`attributes.header.dev_index < 1`:                    {false, true},
		`attributes.header["tx/rx"] in 3..5`:                 {true, false},
		`attributes.header["9"] == "ab"`:                     {true, false},
		`attributes.state == "up"`:                           {true, false},
		`attributes.state == "77"`:                           {false, false},
		`"up" != attributes.state`:                           {false, true},
		`"tx" in attributes.caps and "4" in attributes.caps`: {true, false},
		`attributes.caps[1] == "4"`:                          {true, false},
		`attributes.flaps == 9223372036854775807`:            {true, false},
		`attributes.carrier`:                                 {true, false},
		`not attributes.carrier`:                             {false, true},
		`8 in attributes.many`:                               {true, false},
		`len(attributes.many) == 2`:                          {true, false},
		`attributes.many[0] == 7`:                            {true, false},
		`len(attributes.ports) == 1`:                         {true, false},
		`attributes.ports[0].dev_name == "eth1"`:             {true, false},
		`attributes.ports[7].dev_name == "eth1"`:             {false, false},
		`"flaps" in attributes`:                              {true, false},
		`"dev-name" in attributes.header`:                    {true, false},
		`"dev_name" not in attributes.header`:                {false, true},
		`attributes.unclear == 5`:                            {true, false},
		`"9" in attributes`:                                  {false, false},
	} {
		r, err := NewCompiler(linkVocabulary(t)).Compile(Options{Filter: filter})
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		for _, c := range []struct {
			e    *event.Event
			want bool
		}{{all, want[0]}, {none, want[1]}, {text, want[1]}, {gap, want[1]}, {all, want[0]}} {
			if got := evaluate(t, r, c.e) == Pass; got != c.want {
				t.Errorf("%s is %t for %s, want %t", filter, got, c.e.AppendJSON(nil), c.want)
			}
		}
	}
}

func TestFiltersSeeFamilyGroupAndCommand(t *testing.T) {
	r := mustCompile(t, Options{Filter: `family == "linkflap" and group == "events" and command == "flap-ntf" and message == ""`})
	if evaluate(t, r, fullLink()) != Pass {
		t.Error("the event is filtered")
	}
	if evaluate(t, mustCompile(t, Options{Filter: `command == ""`}), newEvent(1, 0, "x")) != Pass {
		t.Error("an event of genltest has a command")
	}
}

// An event that was decoded by an earlier specification can have other types.
func TestAttributesOfAnotherTypeNeverFail(t *testing.T) {
	other := linkEvent(func(b *event.ObjectBuilder) {
		b.Text("header", []byte("text"))
		b.Uint("state", 7)
		b.Text("caps", []byte("tx"))
		b.Text("flaps", []byte("many"))
		b.Bytes("carrier", []byte{1}, event.Hex)
		b.Text("many", []byte("x"))
		b.Uint("ports", 9)
	})
	for filter, want := range map[string]bool{
		`attributes.header.dev_name == ""`:   true,
		`attributes.state == "7"`:            true,
		`"tx" in attributes.caps`:            true,
		`attributes.flaps == 0`:              true,
		`attributes.carrier`:                 true,
		`len(attributes.many) == 1`:          true,
		`attributes.ports[0].dev_name == ""`: true,
		`"dev_name" in attributes.header`:    false,
	} {
		r, err := NewCompiler(linkVocabulary(t)).Compile(Options{Filter: filter})
		if err != nil {
			t.Fatalf("%s: %v", filter, err)
		}
		if got := evaluate(t, r, other) == Pass; got != want {
			t.Errorf("%s is %t", filter, got)
		}
	}
}

func TestWrongAttributesAreErrors(t *testing.T) {
	const header = "dev_index, dev_name, tx/rx"
	const dashes = "write dev_index, dev_name, with underscores in place of dashes"
	for filter, want := range map[string]string{
		`attributes.headr.dev_name == "x"`:     "column 12: unknown attribute headr of attributes; write header",
		`attributes.header.dev_nam == "x"`:     "column 19: unknown attribute dev_nam of attributes.header; write dev_name",
		`attributes.header["dev.name"] == "x"`: "column 19: unknown attribute dev.name of attributes.header; write dev_name",
		`attributes.header.dev == "x"`:         "column 19: unknown attribute dev of attributes.header; " + dashes,
		`attributes.header.x == "x"`:           "column 19: unknown attribute x of attributes.header; write one of " + header,
		`"x" in attributes.header`:             "column 1: unknown attribute x of attributes.header; write one of " + header,
		`attributes.header.dev_name == 5`:      "column 28: cannot apply == to a text and a number",
		`attributes.header.dev_index == "5"`:   "column 29: cannot apply == to a number and a text",
		`attributes.header == "x"`:             "column 12: attributes.header is an object; write one of its attributes: " + header,
		`attributes == "x"`:                    "column 1: attributes is an object; write one of its attributes: caps, carrier, ",
		`attributes.flaps.x == "x"`:            "column 18: attributes.flaps does not have the attribute x; remove it",
		`attributes.ports.dev_name == "x"`:     "column 18: attributes.ports does not have the attribute dev_name; remove it",
		`attributes[message] == "x"`:           "column 12: write the name of an attribute, such as attributes.header, or the number of an entry",
		`attributes.many[-1] == 5`:             "column 17: write the name of an attribute",
		`attributes.state == "upp"`:            `column 21: attributes.state is never "upp"; write one of down, up`,
		`attributes.state in ["up", "x"]`:      `column 28: attributes.state is never "x"; write one of down, up`,
		`"xt" in attributes.caps`:              `column 1: attributes.caps never contains "xt"; write one of rx, tx`,
		`"carrier" not in attributes.caps`:     `column 1: attributes.caps never contains "carrier"; write one of rx, tx`,
		`attributes.caps[0] == "x"`:            `column 23: attributes.caps[0] is never "x"; write one of rx, tx`,
		`upper(attributes.flaps) == "x"`:       "column 18: upper requires a text; write string(...) around the number",
		`attrs.flaps == 1`:                     "column 1: unknown name attrs; write attributes",
	} {
		_, err := NewCompiler(linkVocabulary(t)).Compile(Options{Filter: filter})
		if got := strings.TrimPrefix(fmt.Sprint(err), "filter: "); !strings.HasPrefix(got, want) {
			t.Errorf("%s\n got %s\nwant %s", filter, got, want)
		}
	}
	_, err := Compile(Options{Filter: `attributes.x == "y"`})
	if want := "filter: column 1: no event has attributes; add a family other than genltest to families"; fmt.Sprint(err) != want {
		t.Errorf("without families: %v", err)
	}
	if _, err := CompileResponse("attributes.x == 1"); err == nil {
		t.Error("a response has attributes")
	}
}

func TestAFilterByTwoAttributesAllocatesAtMostFiveTimes(t *testing.T) {
	r, err := NewCompiler(linkVocabulary(t)).Compile(Options{Filter: `attributes.header.dev_index == 2 and attributes.carrier`})
	if err != nil {
		t.Fatal(err)
	}
	e := fullLink()
	evaluate(t, r, e)
	if n := testing.AllocsPerRun(100, func() { evaluate(t, r, e) }); n > 5 {
		t.Errorf("%v allocations", n)
	}
}

func TestExtractAndDedupUseTheTextOfAttributes(t *testing.T) {
	r := mustCompile(t, Options{Extract: `dev-name=(?P<dev>\S+)`, Dedup: Dedup{Window: time.Minute, Key: "message"}})
	e, same, other := fullLink(), fullLink(), linkEvent(func(b *event.ObjectBuilder) { b.Uint("flaps", 1) })
	if v := evaluate(t, r, e); v != Pass || string(e.Captures[0].Value) != "eth0" {
		t.Errorf("%v, captures %q", v, e.Captures)
	}
	if v := evaluate(t, r, same); v != Repeated {
		t.Errorf("the same attributes: %v", v)
	}
	if v := evaluate(t, r, other); v != Pass {
		t.Errorf("other attributes: %v", v)
	}
}
