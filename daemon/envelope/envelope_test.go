// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
)

var received = time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC)

// full returns an event with a value in every field.
func full(message string) event.Event {
	return event.Event{
		JournalID: "6a9155caa46c7dcc", Seq: 7, Time: received,
		KernelTime: received.Add(-time.Second), KernelSeq: 41, LoadID: 0xfedcba9876543210,
		Host: "web-1", Family: "genltest", Group: "mcgrp", Message: []byte(message),
		Origin: &event.Origin{
			MachineID: "b08dfa6083e7567a1921a715000001fb", BootID: "c1f0fdd2a9f54ffcbd33c49f0a2c1f9b", KernelRelease: "6.1.0-50-amd64",
			Labels: []event.Label{{Name: "rack", Value: `b "7"`}, {Name: "site", Value: "berlin"}},
		},
		Captures: []event.Capture{{Name: "code", Value: []byte("17")}},
	}
}

// bare returns an event of a module that sends neither number nor time.
func bare(message string) event.Event {
	return event.Event{
		JournalID: "j", Seq: 1, Time: received, Host: "web-1", Family: "genltest", Group: "mcgrp", Message: []byte(message),
	}
}

func gap() event.Event {
	e := bare("")
	e.Gap = &event.Gap{
		Count: 17, Reason: "kernel_buffer", From: received.Add(-time.Second), To: received, First: 8, Last: 31, LoadID: 0x1e1b58c6a77ddc69,
	}
	return e
}

// link returns an event of the family ethtool with an attribute of each kind.
func link() event.Event {
	e := bare("")
	e.Family, e.Group, e.Message = "ethtool", "monitor", nil
	var b event.ObjectBuilder
	b.Reset()
	b.BeginObject("header")
	b.Uint("dev-index", 2)
	b.Text("dev-name", []byte("caf\u00e9"))
	b.End()
	b.BeginList("flags")
	b.Text("", []byte("up"))
	b.End()
	b.Text("firmware", []byte("1 \x1b[2J\u202e]\"\n"))
	b.Text("serial", []byte("\xff"))
	b.Bytes("17", []byte{0xca, 0xfe}, event.Hex)
	e.Content = &event.Content{Command: "features-ntf", Attributes: b.Object()}
	return e
}

// undecoded returns an event whose message could not be decoded.
func undecoded() event.Event {
	e := link()
	e.Content = &event.Content{Error: "too \x1b short", Raw: []byte{1, 2}}
	return e
}

func suppressed() event.Event {
	e := bare("")
	e.Suppressed = &event.Suppressed{Count: 1, Reason: "rate_limit", From: received.Add(-time.Second), To: received}
	return e
}

func mustNew(t testing.TB, o Options) event.Encoder {
	t.Helper()
	encoder, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return encoder
}

// encode appends to existing bytes, as a batch does.
func encode(t testing.TB, encoder event.Encoder, e event.Event) string {
	t.Helper()
	const before = "before"
	got, err := encoder.Append([]byte(before), &e)
	if err != nil {
		t.Fatal(err)
	}
	text, ok := strings.CutPrefix(string(got), before)
	if !ok {
		t.Fatalf("the existing bytes were changed to %q", got)
	}
	return text
}

// all returns an encoder of every kind, and of both modes of CloudEvents.
func all(t testing.TB) map[string]event.Encoder {
	encoders := make(map[string]event.Encoder)
	for _, kind := range []Kind{JSON, Raw, CloudEvents, RFC5424, Template, Logfmt} {
		encoders[string(kind)] = mustNew(t, Options{Kind: kind, Template: "{{.Kind}} {{.Time}} {{.KernelTime}} {{.KernelSeq}} {{.Text}}"})
	}
	encoders["binary"] = mustNew(t, Options{Kind: CloudEvents, CloudEvents: CloudEventsOptions{Binary: true}})
	return encoders
}

func TestNewRejectsAnUnknownKind(t *testing.T) {
	if _, err := New(Options{Kind: "xml"}); err == nil {
		t.Error("no error")
	}
	if got := mustNew(t, Options{}); got != (event.JSON{}) {
		t.Errorf("the default is %T", got)
	}
}

// An encoder must neither write the time of receipt as the kernel's, nor invent a
// number that the module did not send.
func TestAbsentKernelFieldsAreOmitted(t *testing.T) {
	for name, encoder := range all(t) {
		with, without := full("x"), full("x")
		without.KernelTime, without.KernelSeq, without.LoadID = time.Time{}, 0, 0
		sent := []string{"2026-01-02T03:04:04.000006789Z", "fedcba9876543210"}
		for _, s := range sent {
			if name != "raw" && name != "template" && !strings.Contains(encode(t, encoder, with), s) {
				t.Errorf("%s: %s is missing", name, s)
			}
		}
		text := encode(t, encoder, without)
		for _, s := range append(sent, "kernel_time", "kernel_seq", "load_id", "0001-01-01", "no value", "nil") {
			if strings.Contains(text, s) {
				t.Errorf("%s has %q: %s", name, s, text)
			}
		}
	}
	template := mustNew(t, Options{Kind: Template, Template: "{{.KernelTime}}"})
	if got := encode(t, template, bare("x")); got != "" {
		t.Errorf("a template writes %q for an unknown time", got)
	}
}

func TestGapsAndSummariesAreSentences(t *testing.T) {
	const span = " from 2026-01-02T03:04:04.000006789Z to 2026-01-02T03:04:05.000006789Z"
	for want, e := range map[string]event.Event{
		"genltestd: 17 events were lost (kernel_buffer), noticed" + span:  gap(),
		"genltestd: 1 event was suppressed (rate_limit), received" + span: suppressed(),
	} {
		for _, o := range []Options{{Kind: Raw}, {Kind: Template, Template: "{{.Text}}"}} {
			if diff := cmp.Diff(want, encode(t, mustNew(t, o), e)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", o.Kind, diff)
			}
		}
		if got := encode(t, mustNew(t, Options{Kind: RFC5424}), e); !strings.HasSuffix(got, "] "+want) {
			t.Errorf("rfc5424: %s", got)
		}
	}
}

func TestEncodersAllocateNothing(t *testing.T) {
	for name, encoder := range all(t) {
		if name == "template" {
			continue
		}
		buf := make([]byte, 0, 8192)
		for _, e := range []event.Event{full("caf\u00e9 \xff \x1b"), gap(), suppressed(), link(), undecoded()} {
			n := testing.AllocsPerRun(100, func() {
				var err error
				if buf, err = encoder.Append(buf[:0], &e); err != nil {
					t.Fatal(err)
				}
			})
			if n != 0 {
				t.Errorf("%s: %v allocations per %s", name, n, e.Kind())
			}
		}
	}
}

func TestContentTypes(t *testing.T) {
	type types struct{ One, Batch string }
	const special = "application/vnd.x+json; charset=utf-8"
	for want, o := range map[types]Options{
		{"application/json", "application/json"}:                               {},
		{"application/octet-stream", ""}:                                       {Kind: Raw},
		{"text/plain; charset=utf-8", ""}:                                      {Kind: Raw, ContentType: "text/plain; charset=utf-8"},
		{"application/cloudevents+json", "application/cloudevents-batch+json"}: {Kind: CloudEvents},
		{"text/plain", ""}:                                                     {Kind: RFC5424},
		{special, "application/json"}:                                          {Kind: Template, Template: "{{.}}", ContentType: special},
		{"text/html", ""}:                                                      {Kind: Template, Template: "{{.}}", ContentType: "text/html"},
	} {
		encoder := mustNew(t, o)
		if diff := cmp.Diff(want, types{encoder.ContentType(), encoder.BatchContentType()}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", o.Kind, diff)
		}
	}
	binary := mustNew(t, Options{Kind: CloudEvents, CloudEvents: CloudEventsOptions{Binary: true}})
	if binary.ContentType() != "application/json" || binary.BatchContentType() != "" {
		t.Errorf("binary CloudEvents are %q and %q", binary.ContentType(), binary.BatchContentType())
	}
}

func BenchmarkAppend(b *testing.B) {
	e := full(strings.Repeat("some text of a usual length ", 4))
	for name, encoder := range all(b) {
		b.Run(name, func(b *testing.B) {
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = encoder.Append(buf[:0], &e)
			}
		})
	}
}

func FuzzRawPreservesEveryByte(f *testing.F) {
	f.Add([]byte("a\x00\xff\n"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if got := encode(t, mustNew(t, Options{Kind: Raw}), bare(string(message))); got != string(message) {
			t.Errorf("%q became %q", message, got)
		}
	})
}
