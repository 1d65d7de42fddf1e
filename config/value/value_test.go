// SPDX-License-Identifier: Apache-2.0

package value

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]string{
		"0":       "0s",
		"30s":     "30s",
		"90m":     "1h30m",
		"1h0m0s":  "1h",
		"3600s":   "1h",
		"10m":     "10m",
		"1h0m5s":  "1h0m5s",
		"100ms":   "100ms",
		"1.5s":    "1.5s",
		"1us":     "1µs",
		"-1m":     "-1m",
		"100h20m": "100h20m",
	} {
		testText[Duration](t, text, want)
	}
	if got := Duration(math.MaxInt64).String(); got != time.Duration(math.MaxInt64).String() {
		t.Errorf("got %s", got)
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]string{
		"0":                   "0",
		"0GiB":                "0",
		"1":                   "1",
		"1024":                "1KiB",
		"1000":                "1kB",
		"1048576":             "1MiB",
		"1024MiB":             "1GiB",
		"1024GiB":             "1024GiB",
		"1500kB":              "1500kB",
		"1000MB":              "1GB",
		"1001":                "1001",
		"64MiB":               "64MiB",
		"9223372036854775807": "9223372036854775807",
	} {
		testText[Size](t, text, want)
	}
}

func TestFileMode(t *testing.T) {
	for text, want := range map[string]string{"0640": "0640", "640": "0640", "0007": "0007"} {
		testText[FileMode](t, text, want)
	}
}

// testText checks that both texts are decoded to the same value, and that the second is its
// canonical text.
func testText[T encoding.TextMarshaler](t *testing.T, text, want string) {
	t.Helper()
	v := reflect.New(reflect.TypeFor[T]()).Elem()
	for _, in := range []string{text, want} {
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(in)); err != nil {
			t.Fatal(err)
		}
		if got, err := v.Interface().(T).MarshalText(); err != nil || string(got) != want {
			t.Errorf("%T: got %q, want %q; %v", v.Interface(), got, want, err)
		}
	}
}

func TestInvalidTextIsRejected(t *testing.T) {
	tests := []struct {
		v   encoding.TextUnmarshaler
		bad []string
	}{
		{new(Duration), []string{"", "s", "30", "1 h", "1d", "9999999h", "1h30"}},
		{new(Size), []string{
			"", "B", "MiB", "1B", "1K", "1M", "1mib", "1 MiB", "1_000", "+1", "-1", "0x10", "010", "00", "01MiB",
			"1.5MiB", "1MiBMiB", "9223372036854775808", "8589934592GiB",
		}},
		{new(FileMode), []string{"", "64", "0o640", "06400", "1640", "-640", "0_64"}},
	}
	for _, tt := range tests {
		for _, text := range tt.bad {
			if err := tt.v.UnmarshalText([]byte(text)); err == nil {
				t.Errorf("%T: %q is parsed as %v", tt.v, text, tt.v)
			}
		}
		if !reflect.ValueOf(tt.v).Elem().IsZero() {
			t.Errorf("%T: bad text has changed the value to %v", tt.v, tt.v)
		}
	}
}

func TestSecretIsNotPrinted(t *testing.T) {
	const canary = "canary-4711"
	s := Inline(canary)
	outer := struct{ Token, hidden Secret }{s, s}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", s, "all", outer)
	text, err := json.Marshal(outer)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%v %+v %#v %s %q %x %d %v %+v %#v %v", s, s, s, s, s, s, s, &s, outer, outer, outer) + log.String() + string(text)
	if strings.Contains(all, canary) || strings.Contains(all, fmt.Sprintf("%x", canary)) {
		t.Errorf("shows the secret: %s", all)
	}
}

func TestSecretNamesItsSource(t *testing.T) {
	for want, s := range map[string]Secret{
		"": {}, "<secret>": Inline("x"), "<credential a>": {Credential: "a"}, "<file /a>": {File: "/a"}, "<env A>": {Env: "A"},
	} {
		if got := s.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := s.IsZero(); got != (want == "") {
			t.Errorf("%q: IsZero = %v", want, got)
		}
	}
}

func TestSecretEqual(t *testing.T) {
	list := []Secret{{}, Inline("a"), Inline("b"), {Credential: "a"}, {File: "/a"}}
	for i, a := range list {
		for j := range list {
			b := list[j]
			if text, ok := b.Inline(); ok {
				b = Inline(text) // the same text at another address
			}
			if a.Equal(b) != (i == j) {
				t.Errorf("%d and %d: Equal = %v", i, j, a.Equal(b))
			}
		}
	}
}

func TestHostPortOfAddresses(t *testing.T) {
	for address, want := range map[Address]string{
		"tcp://a:1": "a:1", "rediss://[::1]:2": "[::1]:2", "udp://a:3": "", "unix:///run/a": "", "unixgram:///run/a": "", "": "",
	} {
		if got := address.HostPort(); got != want {
			t.Errorf("%q: HostPort = %q, want %q", address, got, want)
		}
	}
}

func FuzzSize(f *testing.F) {
	for _, seed := range []string{"0", "64MiB", "256KiB", "1GiB", "1048576", "5kB", "7MB", "9GB", "9223372036854775807", "-1", "1.5MiB"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var a, b Size
		if a.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := b.UnmarshalText([]byte(a.String())); err != nil || a != b || a < 0 {
			t.Errorf("%q is %d, written %v, read as %d: %v", text, a, a, b, err)
		}
	})
}

func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"0", "30s", "1h30m", "1h0m0s", "100ms", "1.5h", "1h0m1s", "2540400h10m10.000000000s", "-1m", "30"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var a, b Duration
		if a.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := b.UnmarshalText([]byte(a.String())); err != nil || a != b {
			t.Errorf("%q is %d, written %v, read as %d: %v", text, a, a, b, err)
		}
	})
}
