// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
)

func TestCloudEvent(t *testing.T) {
	encoder := mustNew(t, Options{Kind: CloudEvents})
	e := full("hello")
	want := `{"specversion":"1.0","type":"com.github.genltestd.event","source":"/genltestd/web-1/genltest/mcgrp",` +
		`"id":"6a9155caa46c7dcc-7","time":"2026-01-02T03:04:05.000006789Z","sequence":"00000000000000000007",` +
		`"datacontenttype":"application/json","data":` + string(e.AppendJSON(nil)) + `}`
	if diff := cmp.Diff(want, encode(t, encoder, e)); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	encoder = mustNew(t, Options{Kind: CloudEvents, CloudEvents: CloudEventsOptions{Source: "urn:x:1", Type: "org.example"}})
	for want, e := range map[string]event.Event{"org.example.gap": gap(), "org.example.suppressed": suppressed()} {
		got := readCloudEvent(t, encode(t, encoder, e))
		if got.Type() != want || got.Context.GetSource() != "urn:x:1" || got.ID() != e.ID() {
			t.Errorf("type %s, source %s, id %s", got.Type(), got.Source(), got.ID())
		}
	}
}

// One encoder writes events of several hosts, families and groups.
func TestCloudEventHasTheSourceOfItsEvent(t *testing.T) {
	encoder := mustNew(t, Options{Kind: CloudEvents})
	for _, change := range []func(*event.Event){
		func(*event.Event) {},
		func(e *event.Event) { e.Host = "web-2" },
		func(*event.Event) {},
		func(e *event.Event) { e.Family = "other" },
		func(e *event.Event) { e.Group = "other" },
		func(e *event.Event) { e.Host = "" },
	} {
		e := full("hello")
		change(&e)
		want := "/genltestd/" + e.Host + "/" + e.Family + "/" + e.Group
		if got := readCloudEvent(t, encode(t, encoder, e)).Source(); got != want {
			t.Errorf("source %q, want %q", got, want)
		}
	}
}

func readCloudEvent(t *testing.T, text string) *cloudevents.Event {
	t.Helper()
	var ce cloudevents.Event
	if err := json.Unmarshal([]byte(text), &ce); err != nil {
		t.Fatalf("%v: %q", err, text)
	}
	if err := ce.Validate(); err != nil {
		t.Fatalf("%v: %q", err, text)
	}
	return &ce
}

// A sink builds a batch from Append and BatchContentType.
func TestBatchOfCloudEvents(t *testing.T) {
	encoder := mustNew(t, Options{Kind: CloudEvents})
	batch := "[" + encode(t, encoder, bare("a")) + "," + encode(t, encoder, gap()) + "]"
	var got []cloudevents.Event
	if err := json.Unmarshal([]byte(batch), &got); err != nil || len(got) != 2 {
		t.Fatalf("%d events, %v: %s", len(got), err, batch)
	}
}

func FuzzCloudEvents(f *testing.F) {
	for _, s := range []string{"", "hello", `"}`, "\xff\xfe", "\x00\x1b\n", "a/b?c#d%e", "\u2028", "\U0010ffff"} {
		f.Add([]byte(s), s)
	}
	f.Fuzz(func(t *testing.T, message []byte, host string) {
		e := bare(string(message))
		e.Host = host
		ce := readCloudEvent(t, encode(t, mustNew(t, Options{Kind: CloudEvents}), e))
		if diff := cmp.Diff(string(e.AppendJSON(nil)), string(ce.Data())); diff != "" {
			t.Errorf("data (-want +got):\n%s", diff)
		}
		known := ce.Type() == "com.github.genltestd.event" && ce.DataContentType() == "application/json"
		if ce.ID() != e.ID() || !ce.Time().Equal(e.Time) || !known {
			t.Errorf("attributes: %v", ce)
		}
		checkSource(t, ce.Source(), host)
	})
}

// checkSource expects the host as a segment of the source's path.
func checkSource(t *testing.T, source, host string) {
	t.Helper()
	escaped, ok := strings.CutPrefix(source, "/genltestd/")
	escaped, ok2 := strings.CutSuffix(escaped, "/genltest/mcgrp")
	if got, err := url.PathUnescape(escaped); !ok || !ok2 || err != nil || got != host || strings.Contains(escaped, "/") {
		t.Errorf("source %q of the host %q", source, host)
	}
}

func TestBinaryCloudEvent(t *testing.T) {
	encoder := mustNew(t, Options{Kind: CloudEvents, CloudEvents: CloudEventsOptions{Binary: true, Source: `/a%20b/"c"`}}).(event.Attributer)
	e := full("hello")
	if diff := cmp.Diff(string(e.AppendJSON(nil)), encode(t, encoder, e)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	want := []string{
		"ce-specversion: 1.0",
		"ce-type: com.github.genltestd.event",
		"ce-source: /a%2520b/%22c%22",
		"ce-id: 6a9155caa46c7dcc-7",
		"ce-time: 2026-01-02T03:04:05.000006789Z",
		"ce-sequence: 00000000000000000007",
	}
	var got []string
	encoder.Attributes(&e, func(name, value string) { got = append(got, name+": "+value) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

// The examples of the binding, and texts that could end a header or start a new one.
func TestHeaderValuesAreEncodedByTheHTTPBinding(t *testing.T) {
	for text, want := range map[string]string{
		"Euro \u20ac \U0001f600": "Euro%20%E2%82%AC%20%F0%9F%98%80",
		"50%":                    "50%25",
		`say "x"`:                "say%20%22x%22",
		"a\r\nb: c":              "a%0D%0Ab:%20c",
		"/plain~path":            "/plain~path",
		"\xff\x7f":               "%FF%7F",
	} {
		if got := headerValue(text); got != want {
			t.Errorf("headerValue(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzBinaryCloudEvents(f *testing.F) {
	f.Add([]byte("hello"), "web-1", "")
	f.Add([]byte("\xff\n"), "a/b\r\nc: d", "urn:%x \u20ac\"")
	f.Fuzz(func(t *testing.T, message []byte, host, source string) {
		encoder := mustNew(t, Options{Kind: CloudEvents, CloudEvents: CloudEventsOptions{Binary: true, Source: source}}).(event.Attributer)
		e := bare(string(message))
		e.Host = host
		header := make(http.Header)
		encoder.Attributes(&e, func(name, value string) { header.Add(name, value) })
		read := throughHTTP(t, header)
		decoded, err := url.PathUnescape(read.Get("Ce-Source"))
		if err != nil {
			t.Fatal(err)
		}
		if source != "" && decoded != source {
			t.Errorf("source %q, want %q", decoded, source)
		}
		if source == "" {
			checkSource(t, decoded, host)
		}
		if read.Get("Ce-Id") != "j-1" || len(read) != 6 {
			t.Errorf("header %v", read)
		}
	})
}

// throughHTTP writes a header and reads it back.
func throughHTTP(t *testing.T, header http.Header) http.Header {
	t.Helper()
	var text bytes.Buffer
	if err := header.Write(&text); err != nil {
		t.Fatal(err)
	}
	response := "HTTP/1.1 200 OK\r\n" + text.String() + "\r\n"
	got, err := http.ReadResponse(bufio.NewReader(strings.NewReader(response)), nil)
	if err != nil {
		t.Fatalf("%v: %q", err, response)
	}
	defer got.Body.Close()
	return got.Header
}
