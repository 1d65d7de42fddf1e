// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/genltestd/genltestd/daemon/event"
)

func TestSyslogMessage(t *testing.T) {
	encoder := mustNew(t, Options{Kind: RFC5424, Syslog: SyslogOptions{Facility: 3, Severity: 6}})
	want := `<30>1 2026-01-02T03:04:05.000006Z web-1 genltestd - event ` +
		`[genltestd@32473 id="6a9155caa46c7dcc-7" seq="7" kernel_time="2026-01-02T03:04:04.000006789Z" kernel_seq="41" ` +
		`load_id="fedcba9876543210" family="genltest" group="mcgrp" machine_id="b08dfa6083e7567a1921a715000001fb" ` +
		`boot_id="c1f0fdd2a9f54ffcbd33c49f0a2c1f9b" kernel_release="6.1.0-50-amd64" message_base64="dHdvCmxpbmVz"]` +
		`[labels@32473 rack="b \"7\"" site="berlin"] two\nlines`
	if diff := cmp.Diff(want, encode(t, encoder, full("two\nlines"))); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	want = `<28>1 2026-01-02T03:04:05.000006Z web-1 genltestd - gap ` +
		`[genltestd@32473 id="j-1" seq="1" family="genltest" group="mcgrp" gap_count="17" gap_reason="kernel_buffer" ` +
		`gap_from="2026-01-02T03:04:04.000006789Z" gap_to="2026-01-02T03:04:05.000006789Z" ` +
		`gap_first_kernel_seq="8" gap_last_kernel_seq="31" gap_load_id="1e1b58c6a77ddc69"] genltestd: 17 events`
	if got := encode(t, encoder, gap()); !strings.HasPrefix(got, want) {
		t.Errorf("gap: %s\nwant %s...", got, want)
	}
}

func TestSyslogPriority(t *testing.T) {
	for _, tt := range []struct {
		facility, severity int
		event, gap         string
	}{
		{3, 6, "<30>1 ", "<28>1 "},
		{16, 7, "<135>1 ", "<132>1 "},
		{0, 0, "<0>1 ", "<0>1 "},
		{23, 3, "<187>1 ", "<187>1 "},
	} {
		encoder := mustNew(t, Options{Kind: RFC5424, Syslog: SyslogOptions{Facility: tt.facility, Severity: tt.severity}})
		if got := encode(t, encoder, bare("x")); !strings.HasPrefix(got, tt.event) {
			t.Errorf("facility %d, severity %d: %s", tt.facility, tt.severity, got)
		}
		if got := encode(t, encoder, gap()); !strings.HasPrefix(got, tt.gap) {
			t.Errorf("facility %d, severity %d: gap %s", tt.facility, tt.severity, got)
		}
	}
}

func TestSyslogMarksUTF8Only(t *testing.T) {
	encoder := mustNew(t, Options{Kind: RFC5424})
	for message, want := range map[string]string{
		"":                 "]",
		"plain":            "] plain",
		"caf\u00e9":        "] \ufeffcaf\u00e9",
		"latin1 caf\xe9":   "] latin1 caf\\xe9",
		"\ufeffcaf\u00e9":  "] \ufeff\\ufeffcaf\u00e9",
		"\ufeffbroken\xff": "] \\ufeffbroken\\xff",
		"caf\u00e9\n":      "] \ufeffcaf\u00e9",
	} {
		e := bare(message)
		marked, err := encoder.(event.Marker).AppendMarked(nil, &e)
		if err != nil {
			t.Fatal(err)
		}
		got := string(marked)
		if diff := cmp.Diff(want, got[strings.Index(got, "]"):]); diff != "" {
			t.Errorf("%q (-want +got):\n%s", message, diff)
		}
		if line, want := encode(t, encoder, e), strings.Replace(got, "\ufeff", "", 1); line != want {
			t.Errorf("line %q, want %q", line, want)
		}
	}
}

// FuzzSyslog parses messages with untrusted bytes in every field.
func FuzzSyslog(f *testing.F) {
	for _, s := range []string{
		"", "hello", `]"\`, "\xff\xfe", "\x00\x1b", "\ufeff", "\ufeff\xff", "a b\n<30>1 - - - - - -", "caf\u00e9",
		strings.Repeat("x", 300),
	} {
		f.Add([]byte(s), s)
	}
	f.Fuzz(func(t *testing.T, message []byte, name string) {
		e := full(string(message))
		e.Host = name
		e.Origin = &event.Origin{KernelRelease: name, Labels: []event.Label{{Name: "x" + name, Value: name}}}
		encoder := mustNew(t, Options{Kind: RFC5424, Syslog: SyslogOptions{Facility: 1, Severity: 5, AppName: name}})
		text, err := encoder.(event.Marker).AppendMarked(nil, &e)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := rfc5424.NewParser(rfc5424.WithCompliantMsg()).Parse(text)
		if err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		m := parsed.(*rfc5424.SyslogMessage)
		checkSyslog(t, m, &e)
		data := (*m.StructuredData)["genltestd@32473"]
		want := map[string]string{
			"id": e.ID(), "seq": "7", "kernel_time": "2026-01-02T03:04:04.000006789Z", "kernel_seq": "41",
			"load_id": "fedcba9876543210", "family": "genltest", "group": "mcgrp",
		}
		if name != "" {
			want["kernel_release"] = shown(name)
		}
		if !event.IsVisible(message) {
			want["message_base64"] = base64.StdEncoding.EncodeToString(message)
		}
		if diff := cmp.Diff(want, data); diff != "" {
			t.Errorf("structured data (-want +got):\n%s", diff)
		}
		label := string(appendName(nil, "x"+name, maxParamName))
		if diff := cmp.Diff(map[string]string{label: shown(name)}, (*m.StructuredData)["labels@32473"]); diff != "" {
			t.Errorf("labels (-want +got):\n%s", diff)
		}
	})
}

func checkSyslog(t *testing.T, m *rfc5424.SyslogMessage, e *event.Event) {
	t.Helper()
	if want := e.Time.Truncate(time.Microsecond); !m.Timestamp.Equal(want) || *m.MsgID != "event" || *m.Priority != 13 {
		t.Errorf("timestamp %v, msgid %q, priority %d", m.Timestamp, *m.MsgID, *m.Priority)
	}
	got := ""
	if m.Message != nil {
		got = *m.Message
	}
	want := string(event.AppendLine(nil, e.Message))
	if !isASCII([]byte(want)) {
		want = byteOrderMark + want
	}
	if got != want {
		t.Errorf("message %q, want %q", got, want)
	}
}

// shown returns a text as a field that allows printable UTF-8 only.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		if event.IsUnsafe(r) {
			return utf8.RuneError
		}
		return r
	}, string([]rune(text)))
}

func TestSyslogHeaderIsPrintable(t *testing.T) {
	e := bare("x")
	e.Host = "a b\n\u00e9" + strings.Repeat("h", 300)
	encoder := mustNew(t, Options{Kind: RFC5424, Syslog: SyslogOptions{AppName: strings.Repeat("a", 60)}})
	header := []byte(encode(t, encoder, e))
	fields := bytes.Fields(header)
	if got := string(fields[2]); got != "a_b___"+strings.Repeat("h", 249) {
		t.Errorf("host %q", got)
	}
	if got := string(fields[3]); got != strings.Repeat("a", 48) {
		t.Errorf("app name %q", got)
	}
}
