// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample returns an object with every kind of value.
func sample() Object {
	var b ObjectBuilder
	b.Reset()
	b.BeginObject("header")
	b.Uint("dev-index", 2)
	b.Text("dev-name", []byte("eth0"))
	b.End()
	b.BeginList("flags")
	b.Text("", []byte("up"))
	b.Uint("", 8)
	b.End()
	b.Int("temp", -40)
	b.Bool("carrier", true)
	b.Bytes("mac", []byte{2, 0, 0, 0, 0xab, 1}, MAC)
	b.Bytes("17", []byte{0xca, 0xfe}, Hex)
	b.BeginObject("empty")
	b.End()
	b.BeginList("none")
	b.End()
	return b.Object()
}

func TestObjectJSON(t *testing.T) {
	want := `{"header":{"dev-index":2,"dev-name":"eth0"},"flags":["up",8],"temp":-40,"carrier":true,` +
		`"mac":"02:00:00:00:ab:01","17":"cafe","empty":{},"none":[]}`
	if diff := cmp.Diff(want, string(sample().AppendJSON(nil))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := string(Object{}.AppendJSON([]byte("x"))); got != "x{}" {
		t.Errorf("the zero object: %s", got)
	}
	if got := string(Value{}.AppendJSON(nil)); got != "null" {
		t.Errorf("the zero value: %s", got)
	}
}

func TestNumbersThatReadersOfJSONRoundAreStrings(t *testing.T) {
	for _, c := range []struct {
		add  func(b *ObjectBuilder)
		want string
	}{
		{func(b *ObjectBuilder) { b.Uint("n", 1<<53) }, `{"n":9007199254740992}`},
		{func(b *ObjectBuilder) { b.Uint("n", 1<<53+1) }, `{"n":"9007199254740993"}`},
		{func(b *ObjectBuilder) { b.Uint("n", math.MaxUint64) }, `{"n":"18446744073709551615"}`},
		{func(b *ObjectBuilder) { b.Int("n", -1<<53) }, `{"n":-9007199254740992}`},
		{func(b *ObjectBuilder) { b.Int("n", -1<<53-1) }, `{"n":"-9007199254740993"}`},
		{func(b *ObjectBuilder) { b.Int("n", 1<<53) }, `{"n":9007199254740992}`},
		{func(b *ObjectBuilder) { b.Int("n", math.MaxInt64) }, `{"n":"9223372036854775807"}`},
		{func(b *ObjectBuilder) { b.Int("n", math.MinInt64) }, `{"n":"-9223372036854775808"}`},
	} {
		var b ObjectBuilder
		b.Reset()
		c.add(&b)
		if got := string(b.Object().AppendJSON(nil)); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestFormats(t *testing.T) {
	sixteen := []byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}
	for _, c := range []struct {
		format Format
		data   []byte
		want   string
	}{
		{Hex, nil, ""},
		{Hex, []byte{0, 0xff}, "00ff"},
		{MAC, []byte{1}, "01"},
		{MAC, sixteen[:8], "20:01:0d:b8:00:00:00:00"},
		{Address, []byte{192, 0, 2, 1}, "192.0.2.1"},
		{Address, sixteen, "2001:db8::1"},
		{Address, sixteen[:5], "20010db800"},
		{UUID, sixteen, "20010db8-0000-0000-0000-000000000001"},
		{UUID, sixteen[:4], "20010db8"},
	} {
		var b ObjectBuilder
		b.Reset()
		b.Bytes("", c.data, c.format)
		v, _ := b.Find("")
		if got := string(v.AppendText(nil)); got != c.want {
			t.Errorf("format %d: got %s, want %s", c.format, got, c.want)
		}
	}
}

func TestTextThatIsNotUTF8KeepsItsBytes(t *testing.T) {
	var b ObjectBuilder
	b.Reset()
	b.Text("name", []byte("a\xff"))
	b.BeginList("list")
	b.Text("", []byte("\x1b[2J"))
	b.Text("", []byte("\xfe"))
	b.Uint("", 1)
	b.End()
	b.Text("last", []byte("ü"))
	got := b.Object().AppendJSON(nil)
	want := `{"name":"a\ufffd","name_base64":"Yf8=","list":["\u001b[2J","\ufffd",1],"list_base64":["G1sySg==","/g==",null],"last":"ü"}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !json.Valid(got) {
		t.Errorf("not valid JSON: %s", got)
	}
}

func TestLookup(t *testing.T) {
	o := sample()
	for path, want := range map[string]string{
		"header.dev-name":  "eth0",
		"header.dev_index": "2",
		"flags.0":          "up",
		"flags.1":          "8",
		"flags":            `["up",8]`,
		"temp":             "-40",
		"17":               "cafe",
		"":                 string(o.AppendJSON(nil)),
	} {
		v, ok := o.Lookup(path)
		if got := string(v.AppendText(nil)); !ok || got != want {
			t.Errorf("%q: got %s, %t, want %s", path, got, ok, want)
		}
	}
	var names []string
	for name, v := range o.Fields() {
		names = append(names, fmt.Sprintf("%s:%d", name, v.Kind()))
	}
	if got := strings.Join(names, " "); got != "header:1 flags:2 temp:6 carrier:7 mac:4 17:4 empty:1 none:2" {
		t.Errorf("fields %s", got)
	}
	for _, path := range []string{"header.dev", "header.dev-name.x", "flags.2", "flags.-1", "flags.x", "HEADER", ".", "header-dev"} {
		if v, ok := o.Lookup(path); ok {
			t.Errorf("%q: got %s", path, v.AppendText(nil))
		}
	}
}

func TestPlain(t *testing.T) {
	var b ObjectBuilder
	b.Reset()
	b.Uint("max-value", math.MaxUint64)
	b.Uint("most-int", math.MaxInt64)
	want := map[string]any{"max_value": uint64(math.MaxUint64), "most_int": math.MaxInt64}
	if diff := cmp.Diff(want, b.Object().Value().Plain()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	want = map[string]any{
		"header":  map[string]any{"dev_index": 2, "dev_name": "eth0"},
		"flags":   []any{"up", 8},
		"temp":    -40,
		"carrier": true,
		"mac":     "02:00:00:00:ab:01",
		"17":      "cafe",
		"empty":   map[string]any{},
		"none":    []any{},
	}
	if diff := cmp.Diff(want, sample().Value().Plain()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if (Value{}).Plain() != nil {
		t.Error("the zero value is not nil")
	}
}

func TestBuilderFindsInnermostNames(t *testing.T) {
	var b ObjectBuilder
	b.Reset()
	b.Text("kind", []byte("outer"))
	b.Text("only-outer", []byte("o"))
	b.BeginObject("closed")
	b.Text("hidden", nil)
	b.End()
	b.BeginList("list")
	b.BeginObject("")
	b.Text("kind", []byte("inner"))
	for name, want := range map[string]string{"kind": "inner", "only-outer": "o"} {
		if v, ok := b.Find(name); !ok || string(v.Bytes()) != want {
			t.Errorf("%s: got %q, %t", name, v.Bytes(), ok)
		}
	}
	if _, ok := b.Find("hidden"); ok {
		t.Error("a name of a closed object was found")
	}
	if got := b.Path("kind"); got != "list.kind" {
		t.Errorf("path %s", got)
	}
}

func TestAnObjectIsIndependentOfItsBuilder(t *testing.T) {
	var b ObjectBuilder
	b.Reset()
	b.Uint("n", 1)
	first := b.Object()
	b.Reset()
	b.Uint("m", 2)
	b.Object()
	if got := string(first.AppendJSON(nil)); got != `{"n":1}` {
		t.Errorf("got %s", got)
	}
}

func TestObjectJSONAllocatesNothing(t *testing.T) {
	o, dst := sample(), make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { dst = o.AppendJSON(dst[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
