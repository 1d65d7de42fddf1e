// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func contentEvent(c *Content) *Event {
	return &Event{
		JournalID: "9f3c", Seq: 7, Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		Host: "web-1", Family: "ethtool", Group: "monitor", Content: c,
	}
}

func TestJSONOfAContentHasCommandAndAttributes(t *testing.T) {
	e := contentEvent(&Content{Command: "features-ntf", Attributes: sample()})
	e.Origin = &Origin{BootID: "b"}
	want := `{"id":"9f3c-7","seq":7,"kind":"event","time":"2026-01-02T03:04:05.000000006Z","host":"web-1","family":"ethtool",` +
		`"group":"monitor","boot_id":"b","command":"features-ntf","attributes":` + string(sample().AppendJSON(nil)) + `}`
	if diff := cmp.Diff(want, string(e.AppendJSON(nil))); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func TestJSONOfAMessageThatCannotBeDecodedHasItsBytes(t *testing.T) {
	e := contentEvent(&Content{Error: "too \x1b short", Raw: []byte{0x1c, 0xff}})
	want := `,"command":"","attributes":{},"error":"too \u001b short","raw":"1cff"}`
	if got := string(e.AppendJSON(nil)); !strings.HasSuffix(got, want) {
		t.Errorf("line %s", got)
	}
}

func TestTextOfAContentIsOneLine(t *testing.T) {
	for _, c := range []struct {
		build func(b *ObjectBuilder)
		want  string
	}{
		{func(*ObjectBuilder) {}, "cmd"},
		{func(b *ObjectBuilder) { b.Text("n", []byte("eth0")) }, "cmd n=eth0"},
		{func(b *ObjectBuilder) { b.Text("n", []byte("a b")) }, `cmd n="a b"`},
		{func(b *ObjectBuilder) { b.Text("n", nil) }, `cmd n=""`},
		{func(b *ObjectBuilder) { b.Text("n", []byte("a;b")) }, `cmd n="a;b"`},
		{func(b *ObjectBuilder) { b.Text("n", []byte("[1]")) }, `cmd n="[1]"`},
		{func(b *ObjectBuilder) { b.Text("n", []byte("\x1b[2J\n\u202e")) }, `cmd n="\u001b[2J\n\u202e"`},
		{func(b *ObjectBuilder) { b.Text("n", []byte("a\xff")) }, `cmd n="a\ufffd" n_base64="Yf8="`},
		{func(b *ObjectBuilder) { b.Text("a\x1b b", nil) }, `cmd a\x1b b=""`},
		{func(b *ObjectBuilder) { b.Uint("n", 1<<63) }, "cmd n=9223372036854775808"},
		{func(b *ObjectBuilder) { b.Bytes("n", nil, Hex) }, `cmd n=""`},
		{func(b *ObjectBuilder) { b.Bytes("n", []byte{1, 2}, MAC) }, "cmd n=01:02"},
		{func(b *ObjectBuilder) {
			b.BeginObject("header")
			b.Uint("dev-index", 2)
			b.Bool("up", true)
			b.End()
			b.Int("temp", -4)
		}, "cmd header.dev-index=2 header.up=true temp=-4"},
		{func(b *ObjectBuilder) {
			b.BeginObject("empty")
			b.End()
			b.BeginList("list")
			b.BeginObject("")
			b.Text("bit", []byte("a b"))
			b.End()
			b.Uint("", 8)
			b.End()
			b.Uint("last", 1)
		}, `cmd empty={} list=[{"bit":"a b"},8] last=1`},
	} {
		var b ObjectBuilder
		b.Reset()
		c.build(&b)
		e := contentEvent(&Content{Command: "cmd", Attributes: b.Object()})
		if diff := cmp.Diff(c.want, string(e.AppendText(nil))); diff != "" {
			t.Errorf("text (-want +got):\n%s", diff)
		}
	}
}

func TestTextOfAMessageThatCannotBeDecodedHasItsBytes(t *testing.T) {
	var b ObjectBuilder
	b.Reset()
	b.Uint("n", 1)
	for want, c := range map[string]*Content{
		`decoding failed: 2 bytes\n; message 0102`:           {Error: "2 bytes\n", Raw: []byte{1, 2}},
		"cmd n=1; decoding failed: n is wrong; message 0102": {Command: "cmd", Attributes: b.Object(), Error: "n is wrong", Raw: []byte{1, 2}},
	} {
		if diff := cmp.Diff(want, string(c.AppendText(nil))); diff != "" {
			t.Errorf("text (-want +got):\n%s", diff)
		}
	}
}

func attributeParts(o Object) (lines []string) {
	var p Parts
	for name, value := range p.Of(contentEvent(&Content{Command: "cmd", Attributes: o})) {
		if strings.HasPrefix(name, AttributePrefix) {
			lines = append(lines, fmt.Sprintf("%s=%s", name, value))
		}
	}
	return lines
}

func TestPartsOfAContent(t *testing.T) {
	var p Parts
	var got []string
	for name, value := range p.Of(contentEvent(&Content{Command: "cmd", Attributes: sample(), Error: "bad", Raw: []byte{1, 2}})) {
		got = append(got, fmt.Sprintf("%s=%s", name, value))
	}
	want := []string{
		"id=9f3c-7", "seq=7", "kind=event", "time=2026-01-02T03:04:05.000000006Z", "host=web-1", "family=ethtool", "group=monitor",
		"command=cmd", "attr_header_dev_index=2", "attr_header_dev_name=eth0", `attr_flags=["up",8]`, "attr_temp=-40", "attr_carrier=true",
		"attr_mac=02:00:00:00:ab:01", "attr_17=cafe", "attr_empty={}", "attr_none=[]", "error=bad", "raw=0102",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}

func TestNamesOfAttributesDifferInEveryEvent(t *testing.T) {
	long := strings.Repeat("n", 40)
	var b ObjectBuilder
	b.Reset()
	b.Uint("a-b", 1)
	b.Uint("a_B", 2)
	b.BeginObject("a")
	b.Uint("b", 3)
	b.End()
	b.Text("x", []byte("\xff"))
	b.Uint("x-base64", 4)
	b.BeginObject("outer-object")
	b.Uint(long, 5)
	b.Uint(long+"-and-more-than-that", 6)
	b.Uint(long+"-and-more-than-all", 7)
	b.End()
	want := []string{
		"attr_a_b=1", "attr_a_B_2=2", "attr_a_b_3=3", "attr_x=\xff", "attr_x_base64=/w==", "attr_x_base64_2=4",
		"attr_" + long + "=5", "attr_" + long + "_and_more_=6", "attr_" + long + "_and_mor_2=7",
	}
	for range 2 { // a Parts forgets the names of the event before
		if diff := cmp.Diff(want, attributeParts(b.Object())); diff != "" {
			t.Errorf("parts (-want +got):\n%s", diff)
		}
	}
}

func TestDeeplyNestedObjectsAreJSON(t *testing.T) {
	var b ObjectBuilder
	b.Reset()
	for range 9 {
		b.BeginObject("o")
	}
	b.Uint("n", 1)
	for range 9 {
		b.End()
	}
	b.Uint("m", 2)
	want := []string{`attr_o_o_o_o_o_o_o_o={"o":{"n":1}}`, "attr_m=2"}
	if diff := cmp.Diff(want, attributeParts(b.Object())); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}

func TestTextAndPartsOfAContentAllocateNothing(t *testing.T) {
	e := contentEvent(&Content{Command: "cmd", Attributes: sample()})
	var p Parts
	dst := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() {
		dst = e.AppendText(dst[:0])
		dst = e.AppendJSON(dst[:0])
		for name, value := range p.Of(e) {
			dst = append(append(dst[:0], name...), value...)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

var validPartName = regexp.MustCompile(`^attr_[A-Za-z0-9_]{1,50}$`)

func FuzzContent(f *testing.F) {
	f.Add("dev-name", "eth0", "list", []byte{1})
	f.Add("a b\x1b", "\xff\x1b[2J", "\u202e", []byte{})
	f.Add("", "[;]", strings.Repeat("x", 70), []byte("\n"))
	f.Fuzz(func(t *testing.T, name, text, other string, data []byte) {
		var b ObjectBuilder
		b.Reset()
		b.Text(name, []byte(text))
		b.BeginObject(other)
		b.Bytes(name, data, MAC)
		b.BeginList(other)
		b.Text("", []byte(text))
		b.End()
		b.End()
		e := contentEvent(&Content{Command: other, Attributes: b.Object(), Error: text, Raw: data})
		if line := e.AppendJSON(nil); !json.Valid(line) || !IsVisible(line) {
			t.Errorf("JSON %q", line)
		}
		if line := e.AppendText(nil); !IsVisible(line) {
			t.Errorf("text %q", line)
		}
		for _, line := range attributeParts(b.Object()) {
			if name, _, _ := strings.Cut(line, "="); name != AttributePrefix && !validPartName.MatchString(name) {
				t.Errorf("name %q", name)
			}
		}
	})
}
