// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
)

func TestLetterRoundTrip(t *testing.T) {
	for name, l := range map[string]Letter{
		"plain":   letter(7, "hello"),
		"no data": {ID: ID{"j", 1}, Received: time.Unix(0, 1), Refused: time.Unix(0, -5)},
		"extremes": {
			ID: ID{strings.Repeat("x", 255), math.MaxUint64}, Attempts: math.MaxInt32,
			Received: time.Unix(0, 0), Refused: time.Unix(0, math.MaxInt64),
		},
		"a kind": {
			ID: ID{"j", 1}, Received: time.Unix(5, 0), Refused: time.Unix(6, 0),
			Kind: "http_status", Status: 413, Reason: "too large", Data: []byte("x"),
		},
		"all bytes": {ID: ID{"j-k", 1}, Data: []byte("\x00\xff\n\x1b[2J"), Received: time.Unix(5, 0), Refused: time.Unix(6, 0), Reason: "no"},
	} {
		got, ok := readLetter(encodeLetter(&l))
		if diff := cmp.Diff(l, got, cmp.Comparer(bytes.Equal)); !ok || diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// plainLetter is a record of a version without Kind and Status.
var plainLetter = []byte("\x01\x06home-1\x07\x00\x00\x00\x00\x00\x00\x00" +
	"\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00" +
	"\x03\x00\x00\x00\x08\x00HTTP 400hello")

func TestLettersOfOlderVersionsAreRead(t *testing.T) {
	want := Letter{
		ID: ID{"home-1", 7}, Received: time.Unix(0, 1), Refused: time.Unix(0, 2), Attempts: 3,
		Reason: "HTTP 400", Data: []byte("hello"),
	}
	got, ok := readLetter(plainLetter)
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Errorf("letter without kind (-want +got):\n%s", diff)
	}
}

func TestReasonIsSafeToShowAndBounded(t *testing.T) {
	for _, c := range []struct{ reason, want string }{
		{"HTTP 400: bad", "HTTP 400: bad"},
		{"a\n\x1b[2Jb\xff", `a\n\x1b[2Jb\xff`},
		{strings.Repeat("x", 500), strings.Repeat("x", 500)},
		{strings.Repeat("x", 501), strings.Repeat("x", 497) + "..."},
		{strings.Repeat("ä", 300), strings.Repeat("ä", 248) + "..."},
		{strings.Repeat("\x00", 500), strings.Repeat(`\x00`, 124) + `\..`},
	} {
		got := string(visible(c.reason))
		if len(got) > MaxReason || !event.IsVisible([]byte(got)) {
			t.Errorf("%q became %d bytes: %q", c.reason, len(got), got)
		}
		if !strings.HasPrefix(got, c.want[:min(len(c.want), 490)]) || len(c.want) < MaxReason && got != c.want && !strings.HasSuffix(got, "...") {
			t.Errorf("%q became %q, want %q", c.reason, got, c.want)
		}
	}
}

func TestIDs(t *testing.T) {
	for text, want := range map[string]ID{
		"6a9155caa46c7dcc-17":    {"6a9155caa46c7dcc", 17},
		"a-b-0":                  {"a-b", 0},
		"j-18446744073709551615": {"j", math.MaxUint64},
	} {
		if got, err := ParseID(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	invalid := []string{"", "-", "17", "-17", "j-", "j-x", "j-18446744073709551616", "j--", "j-1-rate_limit"}
	for _, text := range append(invalid, strings.Repeat("j", 256)+"-1") {
		if got, err := ParseID(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// FuzzRecord checks that parsing accepts any bytes, and that a parsed letter encodes to the
// same record.
func FuzzRecord(f *testing.F) {
	l := letter(7, "hello")
	f.Add(encodeLetter(&l))
	f.Add(plainLetter)
	f.Add(encodeNames(kindRemoved, "j", []uint64{1, 2}))
	f.Add([]byte{kindMarked, 200})
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, name, rest, err := parseKind(b)
		if err != nil {
			return
		}
		if _, err := parseSeqs(rest); err != nil && len(rest)%8 == 0 {
			t.Error(err)
		}
		l, err := parseLetter(kind, name, rest)
		if err != nil || kind != kindLetter || l.Attempts > math.MaxInt32 || !event.IsVisible([]byte(l.Reason)) || len(l.Reason) > MaxReason {
			return
		}
		if again := encodeLetter(&l); !bytes.Equal(again, b) {
			t.Errorf("encodes as %q, was %q", again, b)
		}
	})
}
