// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding"
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

func TestEnumerations(t *testing.T) {
	for _, text := range []string{"debug", "info", "warn", "error"} {
		testText[LogLevel](t, text, text)
	}
	for _, text := range []string{"batch", "never"} {
		testText[Fsync](t, text, text)
	}
	for _, text := range []string{"json", "raw", "cloudevents", "rfc5424", "template", "logfmt"} {
		testText[Envelope](t, text, text)
	}
	for _, text := range []string{"structured", "binary"} {
		testText[CloudEventsMode](t, text, text)
	}
}

// The numbers are those of RFC 5424, section 6.2.1.
func TestSyslogNumbers(t *testing.T) {
	for text, want := range map[Facility]int{"kern": 0, "user": 1, "daemon": 3, "authpriv": 10, "local0": 16, "local7": 23} {
		testText[Facility](t, string(text), string(text))
		if got := text.Number(); got != want {
			t.Errorf("facility %s is %d, want %d", text, got, want)
		}
	}
	for text, want := range map[Severity]int{"emerg": 0, "err": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7} {
		testText[Severity](t, string(text), string(text))
		if got := text.Number(); got != want {
			t.Errorf("severity %s is %d, want %d", text, got, want)
		}
	}
}

// testText checks that text reads as what want is the text of.
func testText[T encoding.TextMarshaler](t *testing.T, text, want string) {
	t.Helper()
	v := reflect.New(reflect.TypeFor[T]()).Elem()
	for _, in := range []string{text, want} {
		if err := setText(v, in); err != nil {
			t.Fatal(err)
		}
		if got, err := v.Interface().(T).MarshalText(); err != nil || string(got) != want {
			t.Errorf("%T: got %q, want %q; %v", v.Interface(), got, want, err)
		}
	}
}

func TestBadText(t *testing.T) {
	tests := []struct {
		v   encoding.TextUnmarshaler
		bad []string
	}{
		{new(Duration), []string{"", "s", "30", "1 h", "1d", "9999999h", "1h30"}},
		{new(Size), []string{"", "B", "MiB", "1B", "1K", "1M", "1mib", "1 MiB", "1_000", "+1", "-1", "0x10", "010", "00", "01MiB", "1.5MiB", "1MiBMiB", "9223372036854775808", "8589934592GiB"}},
		{new(FileMode), []string{"", "64", "0o640", "06400", "1640", "-640", "0_64"}},
		{new(LogLevel), []string{"", "INFO", "info+1", "warning"}},
		{new(Fsync), []string{"", "always", "Batch"}},
	}
	for _, tt := range tests {
		for _, text := range tt.bad {
			if err := tt.v.UnmarshalText([]byte(text)); err == nil {
				t.Errorf("%T: %q is taken for %v", tt.v, text, tt.v)
			}
		}
		if !reflect.ValueOf(tt.v).Elem().IsZero() {
			t.Errorf("%T: bad text has changed the value to %v", tt.v, tt.v)
		}
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"":                                `""`,
		"a\x1b\n\u202e":                   `"a\x1b\n\u202e"`,
		"\xff":                            `"\xff"`,
		strings.Repeat("é", maxQuoted):    `"` + strings.Repeat("é", maxQuoted) + `"`,
		strings.Repeat("é", maxQuoted+1):  `"` + strings.Repeat("é", maxQuoted-1) + `…"`,
		strings.Repeat("😀", 10*maxQuoted): `"` + strings.Repeat("😀", maxQuoted-1) + `…"`,
	} {
		if got := quote(text); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestSuggest(t *testing.T) {
	keys := []string{"name", "batch_events", "retry_min", "retry_max", "file"}
	for name, want := range map[string]string{
		"fiel":        `did you mean "file"?`,
		"Batch-Event": `did you mean "batch_events"?`,
		"retry_mix":   `did you mean "retry_min"?`,
		"url":         "the keys here are name, batch_events, retry_min, retry_max, file",
		"x":           "the keys here are name, batch_events, retry_min, retry_max, file",
	} {
		if got := suggest(name, keys); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
