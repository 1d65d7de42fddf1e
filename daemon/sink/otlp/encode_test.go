// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// newTestBuilder returns a builder with a limit, 0 for the default.
func newTestBuilder(t testing.TB, c Config) *builder {
	t.Helper()
	setDefaults(&c)
	b, err := newBuilder(&c, sink.Env{Version: "1.2.3", Compile: sinktest.Compile})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// setDefaults sets the defaults that package config sets.
func setDefaults(c *Config) {
	if c.Protocol == "" {
		c.Protocol = protocolHTTP
	}
	if c.Compression == "" {
		c.Compression = "none"
	}
	if c.MaxRequest == 0 {
		c.MaxRequest = 4 << 20
	}
	if c.Severity == "" {
		c.Severity = "info"
	}
	if c.Scope.Name == "" {
		c.Scope.Name = "scope"
	}
}

func decode(t testing.TB, text []byte) *collector.ExportLogsServiceRequest {
	t.Helper()
	var request collector.ExportLogsServiceRequest
	if err := proto.Unmarshal(text, &request); err != nil {
		t.Fatal(err)
	}
	return &request
}

// plain returns a value as Go values: string, bool, int64, []byte, []any, map[string]any, and
// nil without a value.
func plain(v *common.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return v.StringValue
	case *common.AnyValue_BoolValue:
		return v.BoolValue
	case *common.AnyValue_IntValue:
		return v.IntValue
	case *common.AnyValue_BytesValue:
		return v.BytesValue
	case *common.AnyValue_ArrayValue:
		list := []any{}
		for _, item := range v.ArrayValue.Values {
			list = append(list, plain(item))
		}
		return list
	case *common.AnyValue_KvlistValue:
		return plainAttributes(v.KvlistValue.Values)
	}
	return nil
}

type object = map[string]any

func plainAttributes(list []*common.KeyValue) object {
	all := make(object)
	for _, a := range list {
		if _, twice := all[a.Key]; twice {
			all[a.Key+" twice"] = true
		}
		all[a.Key] = plain(a.Value)
	}
	return all
}

// plainRecord returns every field of a record that is set, with the attributes by name.
func plainRecord(r *logs.LogRecord) object {
	return object{
		"time": r.TimeUnixNano, "observed": r.ObservedTimeUnixNano, "severity": int(r.SeverityNumber), "text": r.SeverityText,
		"body": plain(r.Body), "name": r.EventName, "attributes": plainAttributes(r.Attributes),
		"others": len(r.TraceId) + len(r.SpanId) + int(r.Flags) + int(r.DroppedAttributesCount) + len(r.ProtoReflect().GetUnknown()),
	}
}

// content returns attributes of each type.
func content() *event.Content {
	var b event.ObjectBuilder
	b.Reset()
	b.Uint("ifindex", 2)
	b.Uint("large", math.MaxUint64)
	b.Int("offset", -3)
	b.Bool("up", true)
	b.Text("name", []byte("eth0\n\x1b"))
	b.Text("not-utf8", []byte("a\xff"))
	b.Bytes("mac", []byte{1, 2}, event.MAC)
	b.BeginObject("header")
	b.Text("dev-name", nil)
	b.End()
	b.BeginObject("empty")
	b.End()
	b.BeginList("list")
	b.Uint("", 1)
	b.Text("", []byte("two"))
	b.End()
	return &event.Content{Command: "linkinfo-ntf", Attributes: b.Object(), Error: "short", Raw: []byte{0xab, 1}}
}

func TestRecords(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	nanos := uint64(at.UnixNano())
	record := func(change, attributes object) object {
		all := object{"time": nanos, "observed": nanos, "severity": 9, "text": "INFO", "body": "", "name": "genltestd.", "others": 0}
		for name, value := range change {
			all[name] = value
		}
		own := object{recordUID: "j-7", "genltestd.seq": int64(7), "genltestd.kind": "event"}
		for name, value := range attributes {
			own[name] = value
		}
		all["attributes"] = own
		return all
	}
	for name, tt := range map[string]struct {
		event event.Event
		want  object
	}{
		"minimal": {event.Event{}, record(nil, nil)},
		"genltest": {
			event.Event{
				Family: "genltest", Group: "mcgrp", Message: []byte("a \x1b\n\u00e9"), LoadID: 0xa1, KernelSeq: 9, KernelTime: at.Add(-time.Second),
				Origin: &event.Origin{
					MachineID: "m", BootID: "b", KernelRelease: "6.1",
					Labels: []event.Label{{Name: "site", Value: "berlin"}, {Name: "rack", Value: ""}},
				},
				Captures: []event.Capture{{Name: "disk", Value: []byte("sda")}, {Name: "raw", Value: []byte{0xff}}},
			},
			record(object{"body": "a \x1b\n\u00e9", "name": "genltestd.genltest", "time": nanos - 1e9}, object{
				"genltestd.family": "genltest", "genltestd.group": "mcgrp", "genltestd.kernel_seq": int64(9),
				"genltestd.load_id": "00000000000000a1", "genltestd.boot_id": "b", "genltestd.kernel_release": "6.1",
				"genltestd.label.site": "berlin", "genltestd.label.rack": "", "genltestd.capture.disk": "sda",
				"genltestd.capture.raw": []byte{0xff},
			}),
		},
		"not UTF-8": {
			event.Event{Family: "genltest", Message: []byte("a\xff\n")},
			record(object{"body": `a\xff\n`, "name": "genltestd.genltest"},
				object{"genltestd.family": "genltest", "genltestd.message": []byte("a\xff\n")}),
		},
		"another family": {
			event.Event{Family: "NET_dm-1", Content: content()},
			record(object{"name": "genltestd.net_dm_1.linkinfo_ntf", "body": string(content().AppendText(nil))}, object{
				"genltestd.family": "NET_dm-1", "genltestd.command": "linkinfo-ntf", "genltestd.error": "short", "genltestd.raw": "ab01",
				"genltestd.attributes": object{
					"ifindex": int64(2), "large": "18446744073709551615", "offset": int64(-3), "up": true, "name": "eth0\n\x1b",
					"not-utf8": []byte("a\xff"), "mac": "01:02", "header": object{"dev-name": ""}, "empty": object{},
					"list": []any{int64(1), "two"},
				},
			}),
		},
		"without a command": {
			event.Event{Family: "ethtool", Content: &event.Content{}},
			record(object{"name": "genltestd.ethtool"}, object{"genltestd.family": "ethtool", "genltestd.attributes": object{}}),
		},
		"gap": {
			event.Event{Family: "genltest", Gap: &event.Gap{
				Count: 2, Reason: "kernel_buffer", From: at, To: at.Add(time.Second), LoadID: 1, First: 3, Last: 4,
			}},
			record(object{
				"name": "genltestd.gap", "severity": 13, "text": "WARN", "body": "genltestd: 2 events were lost (kernel_buffer), " +
					"noticed from 2026-01-02T03:04:05.000000006Z to 2026-01-02T03:04:06.000000006Z",
			}, object{
				"genltestd.kind": "gap", "genltestd.family": "genltest", "genltestd.gap.count": int64(2), "genltestd.gap.reason": "kernel_buffer",
				"genltestd.gap.from": "2026-01-02T03:04:05.000000006Z", "genltestd.gap.to": "2026-01-02T03:04:06.000000006Z",
				"genltestd.gap.first_kernel_seq": int64(3), "genltestd.gap.last_kernel_seq": int64(4),
				"genltestd.gap.load_id": "0000000000000001",
			}),
		},
		"test": {
			event.Event{Family: "genltest", Test: &event.Test{Sink: "logs", Number: 0xa1}},
			record(object{"name": "genltestd.test", "body": "genltestd: an operator tests the sink logs"}, object{
				recordUID: "j-7-test-00000000000000a1", "genltestd.kind": "test", "genltestd.family": "genltest", "genltestd.test.sink": "logs",
			}),
		},
		"suppressed": {
			event.Event{Suppressed: &event.Suppressed{Count: 1, Reason: "dedup", From: at, To: at}},
			record(object{
				"name": "genltestd.suppressed", "body": "genltestd: 1 event was suppressed (dedup), " +
					"received from 2026-01-02T03:04:05.000000006Z to 2026-01-02T03:04:05.000000006Z",
			}, object{
				recordUID: "j-7-dedup", "genltestd.kind": "suppressed", "genltestd.suppressed.count": int64(1),
				"genltestd.suppressed.reason": "dedup", "genltestd.suppressed.from": "2026-01-02T03:04:05.000000006Z",
				"genltestd.suppressed.to": "2026-01-02T03:04:05.000000006Z",
			}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			tt.event.JournalID, tt.event.Seq, tt.event.Time = "j", 7, at
			text, n, err := newTestBuilder(t, Config{}).build([]event.Event{tt.event})
			if n != 1 || err != nil {
				t.Fatal(n, err)
			}
			got := plainRecord(decode(t, text).ResourceLogs[0].ScopeLogs[0].LogRecords[0])
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSeverities(t *testing.T) {
	gap := &event.Gap{}
	for word, want := range map[string]string{
		"trace": "1 TRACE, 13 WARN", "debug": "5 DEBUG, 13 WARN", "info": "9 INFO, 13 WARN",
		"warn": "13 WARN, 13 WARN", "error": "17 ERROR, 17 ERROR", "fatal": "21 FATAL, 21 FATAL",
	} {
		text, _, err := newTestBuilder(t, Config{Severity: word}).build([]event.Event{{}, {Gap: gap}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range decode(t, text).ResourceLogs[0].ScopeLogs[0].LogRecords {
			got = append(got, fmt.Sprint(int(r.SeverityNumber), " ", r.SeverityText))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %q, want %s", word, got, want)
		}
	}
}

func TestTimesThatAreNotKnownAreOmitted(t *testing.T) {
	for _, at := range []time.Time{{}, time.Unix(-1, 0), time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		text, _, err := newTestBuilder(t, Config{}).build([]event.Event{{Time: at}})
		if err != nil {
			t.Fatal(err)
		}
		if r := decode(t, text).ResourceLogs[0].ScopeLogs[0].LogRecords[0]; r.TimeUnixNano != 0 || r.ObservedTimeUnixNano != 0 {
			t.Errorf("%v: %d and %d", at, r.TimeUnixNano, r.ObservedTimeUnixNano)
		}
	}
}

// Events of other hosts and labels can be in one batch. Their order must not change.
func TestResources(t *testing.T) {
	b := newTestBuilder(t, Config{
		Resource: []Attribute{{Name: "service.name", Value: "kernel"}, {Name: "site", Value: "{{.Labels.site}}"}},
		Scope:    Scope{Name: "s", Version: "v"},
	})
	berlin := &event.Origin{MachineID: "m1", Labels: []event.Label{{Name: "site", Value: "berlin"}}}
	oslo := &event.Origin{MachineID: "m1", Labels: []event.Label{{Name: "site", Value: "o\xffslo"}}}
	events := []event.Event{
		{Host: "a", Origin: berlin}, {Host: "a", Origin: berlin}, {Host: "b", Origin: oslo}, {Host: "a", Origin: berlin}, {},
	}
	for i := range events {
		events[i].Seq = uint64(i)
	}
	text, n, err := b.build(events)
	if n != len(events) || err != nil {
		t.Fatal(n, err)
	}
	type group struct {
		Resource object
		Scope    string
		Seqs     []any
	}
	var got []group
	for _, r := range decode(t, text).ResourceLogs {
		scope := r.ScopeLogs[0].Scope
		g := group{Resource: plainAttributes(r.Resource.Attributes), Scope: scope.Name + " " + scope.Version}
		for _, record := range r.ScopeLogs[0].LogRecords {
			g.Seqs = append(g.Seqs, plainAttributes(record.Attributes)["genltestd.seq"])
		}
		got = append(got, g)
	}
	resource := func(more object) object {
		all := object{"service.name": "kernel", "service.version": "1.2.3", "os.type": "linux"}
		for name, value := range more {
			all[name] = value
		}
		return all
	}
	a := object{"host.name": "a", "host.id": "m1", "site": "berlin"}
	want := []group{
		{resource(a), "s v", []any{int64(0), int64(1)}},
		{resource(object{"host.name": "b", "host.id": "m1", "site": `o\xffslo`}), "s v", []any{int64(2)}},
		{resource(a), "s v", []any{int64(3)}},
		{resource(nil), "s v", []any{int64(4)}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

// The size of a request is never larger than the limit, and the next event would not fit.
func TestRequestsAreDividedAtTheLimit(t *testing.T) {
	const limit = 128 << 10
	b := newTestBuilder(t, Config{MaxRequest: limit})
	events := sinktest.Events(1, 2000)
	for i := range events {
		events[i].Host = []string{"a", "b", "b"}[i/10%3]
	}
	requests := 0
	for left := events; len(left) > 0; requests++ {
		text, n, err := b.build(left)
		if err != nil || n == 0 || len(text) > limit {
			t.Fatalf("%d events in %d bytes: %v", n, len(text), err)
		}
		size := len(text)
		decode(t, text)
		if n < len(left) {
			b.limit = limit * 2
			if text, _, _ := b.build(left[:n+1]); len(text) <= limit {
				t.Errorf("a request of %d bytes has room for another event: %d", size, len(text))
			}
			b.limit = limit
		}
		left = left[n:]
	}
	if requests < 5 {
		t.Errorf("%d requests", requests)
	}
}

func TestLargeEventIsRefusedPermanently(t *testing.T) {
	b := newTestBuilder(t, Config{MaxRequest: 128 << 10})
	events := sinktest.Events(1, 3)
	events[1].Message = []byte(strings.Repeat("x", 128<<10))
	if text, n, err := b.build(events); n != 1 || err != nil || len(decode(t, text).ResourceLogs) != 1 {
		t.Errorf("%d events before the large one, %v", n, err)
	}
	text, n, err := b.build(events[1:])
	if n != 0 || len(text) != 0 || sink.Poisoned(err) != 1 || sink.RefusalOf(err).Kind != sink.RefusedTooLarge ||
		!strings.Contains(err.Error(), "max_request") {
		t.Errorf("%d events, %d bytes, %v", n, len(text), err)
	}
}

// A template that fails for an event concerns that event alone.
func TestResourceThatCannotBeWritten(t *testing.T) {
	b := newTestBuilder(t, Config{Resource: []Attribute{{Name: "first", Value: `{{slice .Text 3}}`}}})
	events := sinktest.Events(1, 2)
	events[1].Message = nil
	if _, n, err := b.build(events); n != 1 || sink.Poisoned(err) != 1 || sink.RefusalOf(err).Kind != sink.RefusedEncode ||
		!strings.Contains(err.Error(), "first") {
		t.Errorf("%d events, %v", n, err)
	}
}

// Decoders limit the depth of nested messages, usually to 100.
func TestDeepAttributesAreJSON(t *testing.T) {
	var b event.ObjectBuilder
	b.Reset()
	const depth = 200
	for range depth {
		b.BeginObject("a")
	}
	for range depth {
		b.End()
	}
	text, _, err := newTestBuilder(t, Config{}).build([]event.Event{{Content: &event.Content{Attributes: b.Object()}}})
	if err != nil {
		t.Fatal(err)
	}
	value := plainAttributes(decode(t, text).ResourceLogs[0].ScopeLogs[0].LogRecords[0].Attributes)["genltestd.attributes"]
	levels := 0
	for ; ; levels++ {
		nested, ok := value.(object)
		if !ok {
			break
		}
		value = nested["a"]
	}
	if want := strings.Repeat(`{"a":`, depth-maxDepth) + "{}" + strings.Repeat("}", depth-maxDepth); levels != maxDepth || value != want {
		t.Errorf("%d levels, then %.100v", levels, value)
	}
}

func TestRequestsDoNotAllocate(t *testing.T) {
	b := newTestBuilder(t, Config{Resource: []Attribute{{Name: "site", Value: "x"}}})
	events := sinktest.Events(1, 100)
	for i := range events {
		events[i].Content = content()
	}
	build := func() {
		if _, n, err := b.build(events); n != len(events) || err != nil {
			t.Fatal(n, err)
		}
	}
	build()
	if n := testing.AllocsPerRun(10, build); n > float64(len(events)) {
		t.Errorf("%v allocations for %d events", n, len(events))
	}
}

func FuzzRecords(f *testing.F) {
	f.Add([]byte("text"), "host", "label", []byte("capture"), uint64(1))
	f.Add([]byte("\xff\x00"), "\xff", "a.b", []byte("\xed\xa0\x80"), uint64(math.MaxUint64))
	f.Add([]byte(strings.Repeat("x", 200)), "", "", []byte(nil), uint64(0))
	f.Fuzz(func(t *testing.T, text []byte, host, name string, value []byte, number uint64) {
		e := event.Event{
			JournalID: "j", Seq: number, KernelSeq: number, LoadID: number, Time: time.Unix(0, int64(number)), Host: host, Family: name,
			Message: text, Captures: []event.Capture{{Name: name, Value: value}},
			Origin: &event.Origin{MachineID: name, Labels: []event.Label{{Name: name, Value: host}}},
		}
		encoded, n, err := newTestBuilder(t, Config{}).build([]event.Event{e, e})
		if n != 2 || err != nil {
			t.Fatal(n, err)
		}
		for _, r := range decode(t, encoded).ResourceLogs[0].ScopeLogs[0].LogRecords {
			body, exact := r.Body.GetStringValue(), plainAttributes(r.Attributes)["genltestd.message"]
			if utf8.Valid(text) && (body != string(text) || exact != nil) || !utf8.Valid(text) && string(exact.([]byte)) != string(text) {
				t.Errorf("%q has the body %q and the bytes %q", text, body, exact)
			}
		}
	})
}

func BenchmarkRequests(b *testing.B) {
	events := sinktest.Events(1, 256)
	r := newTestBuilder(b, Config{})
	b.ReportAllocs()
	for b.Loop() {
		if text, n, err := r.build(events); n != len(events) || err != nil || len(text) == 0 {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
}
