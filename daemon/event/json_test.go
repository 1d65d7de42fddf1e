// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// wire is the object as an ordinary JSON library reads it.
type wire struct {
	ID         string     `json:"id"`
	Seq        uint64     `json:"seq"`
	Kind       string     `json:"kind"`
	Time       time.Time  `json:"time"`
	KernelTime *time.Time `json:"kernel_time"`
	KernelSeq  uint64     `json:"kernel_seq"`
	LoadID     string     `json:"load_id"`
	Host       string     `json:"host"`
	Family     string     `json:"family"`
	Group      string     `json:"group"`
	Message    string     `json:"message"`
	Base64     []byte     `json:"message_base64"`
}

func decode(t *testing.T, line []byte) wire {
	t.Helper()
	var w wire
	d := json.NewDecoder(strings.NewReader(string(line)))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		t.Fatalf("not JSON: %v\n%q", err, line)
	}
	return w
}

func TestAppendJSONWritesEveryField(t *testing.T) {
	received := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	sent := received.Add(-time.Millisecond)
	e := Event{
		JournalID: "9f3c", Seq: 7, Time: received,
		KernelTime: sent, KernelSeq: 41, LoadID: 0xfedcba9876543210,
		Host: "web-1", Family: "genltest", Group: "mcgrp", Message: []byte("hello"),
	}
	want := `{"id":"9f3c-7","seq":7,"kind":"event","time":"2026-01-02T03:04:05.000000006Z",` +
		`"kernel_time":"2026-01-02T03:04:04.999000006Z","kernel_seq":41,"load_id":"fedcba9876543210",` +
		`"host":"web-1","family":"genltest","group":"mcgrp","message":"hello"}`
	if diff := cmp.Diff(want, string(e.AppendJSON(nil))); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
	if e.ID() != "9f3c-7" {
		t.Errorf("ID() = %q", e.ID())
	}
}

func TestAppendJSONWritesAGap(t *testing.T) {
	noticed := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	e := Event{JournalID: "j", Seq: 8, Time: noticed, Host: "h", Family: "f", Group: "g", Gap: &Gap{
		Count: 3, Reason: "kernel_buffer", From: noticed.Add(-time.Second), To: noticed, LoadID: 1, First: 5, Last: 9,
	}}
	const head = `{"id":"j-8","seq":8,"kind":"gap","time":"2026-01-02T03:04:05.000000006Z","host":"h","family":"f","group":"g",` +
		`"gap":{"count":3,"reason":"kernel_buffer","from":"2026-01-02T03:04:04.000000006Z","to":"2026-01-02T03:04:05.000000006Z"`
	want := head + `,"first_kernel_seq":5,"last_kernel_seq":9,"load_id":"0000000000000001"}}`
	if diff := cmp.Diff(want, string(e.AppendJSON(nil))); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
	e.Gap.First, e.Gap.Last, e.Gap.LoadID = 0, 0, 0
	if diff := cmp.Diff(head+"}}", string(e.AppendJSON(nil))); diff != "" {
		t.Errorf("line without numbers (-want +got):\n%s", diff)
	}
}

func TestAppendJSONWritesSuppressedEvents(t *testing.T) {
	last := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	e := Event{JournalID: "j", Seq: 8, Time: last, Host: "h", Family: "f", Group: "g", Suppressed: &Suppressed{
		Count: 3, Reason: "rate_limit", From: last.Add(-time.Second), To: last,
	}}
	want := `{"id":"j-8-rate_limit","seq":8,"kind":"suppressed","time":"2026-01-02T03:04:05.000000006Z","host":"h","family":"f","group":"g",` +
		`"suppressed":{"count":3,"reason":"rate_limit","from":"2026-01-02T03:04:04.000000006Z","to":"2026-01-02T03:04:05.000000006Z"}}`
	if diff := cmp.Diff(want, string(e.AppendJSON(nil))); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

// A receiver must not mistake a test for an event of the kernel.
func TestAppendJSONWritesATest(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	e := Event{JournalID: "j", Time: at, Host: "h", Family: "f", Group: "g", Test: &Test{Sink: `"hook"`, Number: 0xa1}}
	want := `{"id":"j-0-test-00000000000000a1","seq":0,"kind":"test","time":"2026-01-02T03:04:05.000000006Z","host":"h","family":"f",` +
		`"group":"g","test":{"sink":"\"hook\""}}`
	if diff := cmp.Diff(want, string(e.AppendJSON(nil))); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
	if text := string(e.AppendText(nil)); text != `genltestd: an operator tests the sink "hook"` || !e.HasSafeText() {
		t.Errorf("text %q", text)
	}
}

func TestAppendJSONWritesTheOrigin(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	const head = `{"id":"j-1","seq":1,"kind":"event","time":"2026-01-02T03:04:05.000000006Z","host":"h","family":"f","group":"g",`
	for want, origin := range map[string]*Origin{
		``:                         nil,
		` `:                        {},
		`"boot_id":"b1",`:          {BootID: "b1"},
		`"labels":{"site":"hq"},`:  {Labels: []Label{{"site", "hq"}}},
		`"labels":{"a":"\u001b"},`: {Labels: []Label{{"a", "\x1b"}}},
		`"machine_id":"m1","boot_id":"b1","kernel_release":"6.1.0","labels":{"rack":"\"7\"","site":"hq"},`: {
			MachineID: "m1", BootID: "b1", KernelRelease: "6.1.0", Labels: []Label{{"rack", `"7"`}, {"site", "hq"}},
		},
	} {
		e := Event{JournalID: "j", Seq: 1, Time: at, Host: "h", Family: "f", Group: "g", Origin: origin, Message: []byte("x")}
		if diff := cmp.Diff(head+strings.TrimSpace(want)+`"message":"x"}`, string(e.AppendJSON(nil))); diff != "" {
			t.Errorf("line (-want +got):\n%s", diff)
		}
	}
}

func TestAppendJSONOmitsAbsentKernelFields(t *testing.T) {
	e := Event{JournalID: "j", Seq: 1, Message: []byte("x")}
	line := string(e.AppendJSON(nil))
	for _, field := range []string{"kernel_time", "kernel_seq", "load_id", "base64"} {
		if strings.Contains(line, field) {
			t.Errorf("%s in %s", field, line)
		}
	}
}

func TestAppendJSONEscapesControlCharacters(t *testing.T) {
	for _, text := range []string{
		"\x1b[31mred", "\u009b31m", "bell\a", "\x7f", "a\u202eb", "\u2066x\u2069", "zero\u200bwidth",
		"line\nbreak", "\r", "\u2028", "\ufeff", "tag\U000e0041",
	} {
		e := Event{Message: []byte(text)}
		line := e.AppendJSON(nil)
		for _, r := range string(line) {
			if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
				t.Errorf("%q: %U is not escaped in %q", text, r, line)
			}
		}
		if got := decode(t, line).Message; got != text {
			t.Errorf("message = %q, want %q", got, text)
		}
	}
}

func TestAppendJSONAllocatesNothing(t *testing.T) {
	e := Event{JournalID: "j", Seq: 1, Time: time.Now(), Host: "h", Message: []byte("caf\u00e9 \xff \x1b")}
	e.Origin = &Origin{MachineID: "m", BootID: "b", KernelRelease: "r", Labels: []Label{{"site", "hq"}}}
	buf := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { buf = e.AppendJSON(buf[:0]) }); n != 0 {
		t.Errorf("%v allocations per event", n)
	}
}

func FuzzAppendJSON(f *testing.F) {
	for _, s := range []string{"", "hello", "\xff\xfe", "\x00\x1b[0m", "\u2028", "\xed\xa0\x80", "a\xc3", "\U0010ffff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		e := Event{JournalID: "j", Seq: 1, Host: string(message), Message: message}
		w := decode(t, e.AppendJSON(nil))
		if want := string([]rune(string(message))); w.Message != want {
			t.Errorf("message = %q, want %q", w.Message, want)
		}
		if utf8.Valid(message) != (w.Base64 == nil) {
			t.Errorf("message_base64 = %q for %q", w.Base64, message)
		}
		if w.Base64 != nil && string(w.Base64) != string(message) {
			t.Errorf("message_base64 holds %q, want %q", w.Base64, message)
		}
	})
}
