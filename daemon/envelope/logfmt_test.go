// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-logfmt/logfmt"
	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
)

func TestLogfmtLine(t *testing.T) {
	encoder := mustNew(t, Options{Kind: Logfmt})
	want := `id=6a9155caa46c7dcc-7 seq=7 kind=event time=2026-01-02T03:04:05.000006789Z kernel_time=2026-01-02T03:04:04.000006789Z ` +
		`kernel_seq=41 load_id=fedcba9876543210 host=web-1 family=genltest group=mcgrp machine_id=b08dfa6083e7567a1921a715000001fb ` +
		`boot_id=c1f0fdd2a9f54ffcbd33c49f0a2c1f9b kernel_release=6.1.0-50-amd64 label_rack="b \"7\"" label_site="berlin" ` +
		`message="a\n\u001b[31m"`
	if diff := cmp.Diff(want, encode(t, encoder, full("a\n\x1b[31m"))); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
	want = `id=j-1 seq=1 kind=gap time=2026-01-02T03:04:05.000006789Z host=web-1 family=genltest group=mcgrp gap_count=17 ` +
		`gap_reason=kernel_buffer gap_from=2026-01-02T03:04:04.000006789Z gap_to=2026-01-02T03:04:05.000006789Z ` +
		`gap_first_kernel_seq=8 gap_last_kernel_seq=31 gap_load_id=1e1b58c6a77ddc69`
	if diff := cmp.Diff(want, encode(t, encoder, gap())); diff != "" {
		t.Errorf("gap (-want +got):\n%s", diff)
	}
	want = `id=j-1-rate_limit seq=1 kind=suppressed time=2026-01-02T03:04:05.000006789Z host=web-1 family=genltest group=mcgrp ` +
		`suppressed_count=1 suppressed_reason=rate_limit suppressed_from=2026-01-02T03:04:04.000006789Z ` +
		`suppressed_to=2026-01-02T03:04:05.000006789Z`
	if diff := cmp.Diff(want, encode(t, encoder, suppressed())); diff != "" {
		t.Errorf("suppressed (-want +got):\n%s", diff)
	}
}

func FuzzLogfmt(f *testing.F) {
	for _, s := range []string{"", "hello", `a="b"`, "\xff\xfe", "\x00\x1b\n", "\u2028", "\U0010ffff", "a c=d"} {
		f.Add([]byte(s), s)
	}
	f.Fuzz(func(t *testing.T, message []byte, name string) {
		e := bare(string(message))
		e.Host = name
		e.Origin = &event.Origin{Labels: []event.Label{{Name: name, Value: name}}}
		line := encode(t, mustNew(t, Options{Kind: Logfmt}), e)
		if !event.IsVisible([]byte(line)) {
			t.Errorf("not safe for a terminal: %q", line)
		}
		got := readLogfmt(t, line)
		text := string([]rune(string(message)))
		want := []pair{
			{"id", "j-1"},
			{"seq", "1"},
			{"kind", "event"},
			{"time", "2026-01-02T03:04:05.000006789Z"},
			{"host", string([]rune(name))},
			{"family", "genltest"},
			{"group", "mcgrp"},
			{string(appendName([]byte("label_"), name, len(name))), string([]rune(name))},
			{"message", text},
		}
		if !utf8.Valid(message) {
			want = append(want, pair{"message_base64", base64.StdEncoding.EncodeToString(message)})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	})
}

type pair struct{ Key, Value string }

func readLogfmt(t *testing.T, line string) []pair {
	t.Helper()
	d := logfmt.NewDecoderSize(strings.NewReader(line), len(line)+1)
	if !d.ScanRecord() {
		t.Fatalf("no record: %v: %q", d.Err(), line)
	}
	var pairs []pair
	for d.ScanKeyval() {
		pairs = append(pairs, pair{string(d.Key()), string(d.Value())})
	}
	if d.Err() != nil || d.ScanRecord() {
		t.Fatalf("more than a record: %v: %q", d.Err(), line)
	}
	return pairs
}
