// SPDX-License-Identifier: Apache-2.0

package journald

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

func TestEntries(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	common := func(more map[string]string) map[string]string {
		all := map[string]string{
			"SYSLOG_IDENTIFIER": "genltest", "SITE": "two\nlines", "GENLTEST_ID": "j-7", "GENLTEST_SEQ": "7",
			"GENLTEST_TIME": "2026-01-02T03:04:05.000000006Z",
		}
		for name, value := range more {
			all[name] = value
		}
		return all
	}
	config := &Config{Identifier: "genltest", Priority: "notice", Fields: []Field{{"SITE", "two\nlines"}}}
	tests := []struct {
		name  string
		event event.Event
		want  map[string]string
	}{
		{"event", event.Event{Message: []byte("a=b\n\xff\x1b"), LoadID: 1}, common(map[string]string{
			"MESSAGE": `a=b\n\xff\x1b`, "GENLTEST_MESSAGE_BASE64": "YT1iCv8b", "PRIORITY": "5", "MESSAGE_ID": EventID,
			"GENLTEST_KIND": "event", "GENLTEST_LOAD_ID": "0000000000000001",
		})},
		{"empty text", event.Event{}, common(map[string]string{
			"MESSAGE": "", "PRIORITY": "5", "MESSAGE_ID": EventID, "GENLTEST_KIND": "event",
		})},
		{"gap", event.Event{Gap: &event.Gap{Count: 2, Reason: "kernel_buffer"}}, common(map[string]string{
			"MESSAGE": "genltestd: 2 events were lost (kernel_buffer), noticed " +
				"from 0001-01-01T00:00:00.000000000Z to 0001-01-01T00:00:00.000000000Z",
			"PRIORITY": "4", "MESSAGE_ID": GapID, "GENLTEST_KIND": "gap", "GENLTEST_GAP_COUNT": "2", "GENLTEST_GAP_REASON": "kernel_buffer",
		})},
		{"suppressed", event.Event{Suppressed: &event.Suppressed{Count: 2, Reason: "sampling"}}, common(map[string]string{
			"MESSAGE": "genltestd: 2 events were suppressed (sampling), received " +
				"from 0001-01-01T00:00:00.000000000Z to 0001-01-01T00:00:00.000000000Z", "GENLTEST_ID": "j-7-sampling",
			"PRIORITY": "5", "MESSAGE_ID": SuppressedID, "GENLTEST_KIND": "suppressed", "GENLTEST_SUPPRESSED_COUNT": "2",
			"GENLTEST_SUPPRESSED_REASON": "sampling",
		})},
		{"test", event.Event{Test: &event.Test{Sink: "log", Number: 0xa1}}, common(map[string]string{
			"MESSAGE": "genltestd: an operator tests the sink log", "GENLTEST_ID": "j-7-test-00000000000000a1",
			"PRIORITY": "5", "MESSAGE_ID": TestID, "GENLTEST_KIND": "test", "GENLTEST_TEST_SINK": "log",
		})},
	}
	encoder := newEncoder(config)
	for _, tt := range tests {
		tt.event.JournalID, tt.event.Seq, tt.event.Time = "j", 7, at
		if diff := cmp.Diff(tt.want, sinktest.ParseEntry(t, encoder.encode(&tt.event))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestGapHasAtLeastThePriorityOfAnEvent(t *testing.T) {
	c := newEncoder(&Config{Priority: "crit"})
	if got := sinktest.ParseEntry(t, c.encode(&event.Event{Gap: &event.Gap{}}))["PRIORITY"]; got != "2" {
		t.Errorf("priority %s", got)
	}
}

func FuzzEntry(f *testing.F) {
	f.Add([]byte("hello"), "value")
	f.Add([]byte("\nMESSAGE=forged\n\n"), "\n")
	f.Add([]byte("\x05\x00\x00\x00\x00\x00\x00\x00\n="), "=")
	f.Fuzz(func(t *testing.T, message []byte, value string) {
		c := newEncoder(&Config{Identifier: value, Priority: "info", Fields: []Field{{"STATIC", value}}})
		e := event.Event{
			JournalID: "j", Seq: 1, Message: message, Host: value,
			Origin:   &event.Origin{Labels: []event.Label{{Name: "l", Value: value}}},
			Captures: []event.Capture{{Name: "c", Value: message}},
		}
		want := map[string]string{
			"MESSAGE": string(event.AppendLine(nil, message)), "MESSAGE_ID": EventID, "PRIORITY": "6", "SYSLOG_IDENTIFIER": value,
			"STATIC":      value,
			"GENLTEST_ID": "j-1", "GENLTEST_SEQ": "1", "GENLTEST_KIND": "event", "GENLTEST_LABEL_L": value,
			"GENLTEST_CAPTURE_C": string(event.AppendVisible(nil, message)),
		}
		if !event.IsVisible(message) {
			want["GENLTEST_MESSAGE_BASE64"] = base64.StdEncoding.EncodeToString(message)
		}
		if value != "" {
			want["GENLTEST_HOST"] = string(event.AppendVisible(nil, []byte(value)))
		}
		if diff := cmp.Diff(want, sinktest.ParseEntry(t, c.encode(&e))); diff != "" {
			t.Errorf("entry (-want +got):\n%s", diff)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	e := sinktest.Events(1, 1)
	c := newEncoder(&Config{Identifier: "x", Priority: "info"})
	b.ReportAllocs()
	for b.Loop() {
		c.encode(&e[0])
	}
}
