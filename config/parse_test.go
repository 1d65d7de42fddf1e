// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/file"
	"github.com/genltestd/genltestd/daemon/sink/stdout"
	"github.com/genltestd/genltestd/daemon/sink/webhook"
	"github.com/genltestd/genltestd/daemon/sinks"
)

var update = flag.Bool("update", false, "write the golden files")

// withoutKinds replaces the list of all kinds, so that a new kind changes no golden file.
func withoutKinds(text string) string {
	return strings.ReplaceAll(text, strings.Join(kindNames(), ", "), "KINDS")
}

func TestParseGood(t *testing.T) {
	want := map[string]func(c *Config){
		"empty":           func(*Config) {},
		"comments":        func(*Config) {},
		"document-mark":   func(*Config) {},
		"document-marks":  func(c *Config) { c.Log.Level = logLevel("debug") },
		"byte-order-mark": func(c *Config) { c.Log.Level = logLevel("debug") },
		"crlf":            func(c *Config) { c.Log.Level, c.Echo.Interval = logLevel("debug"), 0 },
		"json":            func(c *Config) { c.Log.Level = logLevel("error"); c.Sinks[0].Name = "out" },
		"echo-off":        func(c *Config) { c.Echo = Echo{0, value.Duration(48 * time.Hour)} },
		"echo-equal":      func(c *Config) { c.Echo.Interval = value.Duration(5 * time.Second) },
		"http-off":        func(c *Config) { c.HTTP.Listen = "" },
		"http-ipv6":       func(c *Config) { c.HTTP.Listen = "[fe80::1%eth0]:0" },
		"http-all":        func(c *Config) { c.HTTP.Listen = ":9941" },
		"sizes":           func(c *Config) { c.Receiver.Buffer, c.Journal.MaxBytes = 1<<20, 10e9 },
		"quoted":          func(c *Config) { c.Receiver.Buffer, c.Log.Level = 128<<20, logLevel("warn") },
		"common-keys": func(c *Config) {
			s := stdoutSink("a.b_c-1")
			s.BatchEvents, s.AttemptTimeout = 10000, value.Duration(90*time.Second)
			s.RetryMin, s.RetryMax = value.Duration(time.Second), value.Duration(time.Second)
			c.Sinks = []Sink{s}
		},
		"listed-defaults": func(c *Config) {
			c.Sinks = []Sink{stdoutSink("a")}
			c.Sinks[0].Envelope = EnvelopeJSON
		},
		"secrets": func(c *Config) {
			c.Sinks = []Sink{webhookSink("hook"), webhookSink("signed")}
			a, b := c.Sinks[0].Config.(*webhook.Config), c.Sinks[1].Config.(*webhook.Config)
			a.URL, a.Bearer = value.Secret{Credential: "url"}, value.Inline("hunter2\n")
			a.Headers = []webhook.Header{{Name: "X-Number", Value: value.Inline("0123")}, {Name: "X-Key", Value: value.Secret{Env: "KEY"}}}
			b.Basic = webhook.BasicAuth{User: "a", Password: value.Secret{File: "/p"}}
			b.SigningSecrets = []value.Secret{{Credential: "new"}, value.Inline("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")}
		},
		"two-sinks": func(c *Config) { c.Sinks = []Sink{fileSink("b", "/x"), stdoutSink("a")} },
		"event": func(c *Config) {
			c.Event = Event{
				Host:   "web-1.example.org",
				Labels: map[string]string{"site": "berlin", "rack": "7", "_x1": "\u00e9"}, MachineID: true, BootID: true, KernelRelease: true,
			}
		},
		"envelopes": func(c *Config) {
			c.Sinks = []Sink{stdoutSink("a"), stdoutSink("b"), stdoutSink("c"), stdoutSink("d"), stdoutSink("e")}
			c.Sinks[0].Envelope, c.Sinks[0].Template = EnvelopeTemplate, "{{.Host}}:\n{{.Text}}\n"
			c.Sinks[0].ContentType = "text/html; charset=utf-8"
			c.Sinks[1].Envelope, c.Sinks[1].CloudEvents.Source, c.Sinks[1].CloudEvents.Type = EnvelopeCloudEvents, "urn:x:%20", "org.example-x"
			c.Sinks[2].Envelope, c.Sinks[2].RFC5424 = EnvelopeRFC5424, RFC5424{"local7", "notice", "x[1]"}
			c.Sinks[3].Envelope, c.Sinks[3].ContentType = EnvelopeRaw, "text/plain"
			c.Sinks[4].Envelope = EnvelopeLogfmt
		},
		"families": func(c *Config) {
			c.Families = []Family{
				{Name: "genltest", Groups: []string{"mcgrp"}},
				{Name: "ethtool"},
				{Name: "devlink", Groups: []string{"config"}, Buffer: 16 << 20},
				{Name: "linkflap", Spec: "/etc/genltestd/specs/linkflap.yaml"},
				{Name: "802.15.4 MAC", Groups: []string{"coordinator", "beacon"}},
			}
		},
		"name-quoted":  func(c *Config) { c.Sinks = []Sink{stdoutSink("5"), stdoutSink("no")} },
		"extensions":   func(c *Config) { c.Log.Level = logLevel("debug") },
		"key-merge":    func(c *Config) { c.Sinks = []Sink{stdoutSink("out"), stdoutSink("two")} },
		"labels-empty": func(*Config) {},
		"labels-merge": func(c *Config) { c.Event.Labels = map[string]string{"a": "b"} },
		"alias": func(c *Config) {
			c.Echo = Echo{value.Duration(7 * time.Second), value.Duration(7 * time.Second)}
			c.Sinks = []Sink{fileSink("a", "/x"), stdoutSink("b")}
			c.Sinks[1].AttemptTimeout = value.Duration(7 * time.Second)
		},
	}
	for _, path := range glob(t, "testdata/good/*.yaml", len(want)) {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			got, err := Parse(path, readTestFile(t, path), sinks.Kinds())
			if err != nil {
				t.Fatal(err)
			}
			c := Default(sinks.Kinds())
			want[name](c)
			if diff := cmp.Diff(c, got, ignoreSource); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
		})
	}
}

// A program needs the fields to format an error itself.
func TestParseErrorFields(t *testing.T) {
	_, err := Parse("/etc/genltestd.yaml", []byte("sinks:\n  - name: out\n    fiel: {}\n"), sinks.Kinds())
	var got *FieldError
	if !errors.As(err, &got) {
		t.Fatalf("got error %v, want a FieldError", err)
	}
	want := &FieldError{
		File:    "/etc/genltestd.yaml",
		Line:    3,
		Column:  5,
		Path:    "sinks[0].fiel",
		Message: `unknown key; did you mean "file"?`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestParseErrorsHaveTheOrderOfTheFile(t *testing.T) {
	_, err := Parse("x", readTestFile(t, "testdata/bad/many-faults.yaml"), sinks.Kinds())
	var errs Errors
	if !errors.As(err, &errs) || len(errs) < 8 {
		t.Fatalf("got %v, want many faults", err)
	}
	if !slices.IsSortedFunc(errs, func(a, b *FieldError) int { return a.Line - b.Line }) {
		t.Errorf("not in order:\n%v", err)
	}
}

func glob(t testing.TB, pattern string, atLeast int) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) < atLeast {
		t.Fatalf("%s: got %d files, want %d; %v", pattern, len(paths), atLeast, err)
	}
	return paths
}

func readTestFile(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func logLevel(text string) (l LogLevel) {
	mustUnmarshal(&l, text)
	return l
}

func sinkOf(name, kind string, c sink.Config) Sink {
	s := Default(sinks.Kinds()).Sinks[0]
	s.Name, s.Kind, s.Config = name, kind, c
	return s
}

func stdoutSink(name string) Sink { return sinkOf(name, "stdout", &stdout.Config{}) }

func fileSink(name, path string) Sink {
	return sinkOf(name, "file", &file.Config{Path: path, Mode: 0o640, Fsync: "batch", Rotate: file.Rotate{Compress: "gzip"}})
}

func webhookSink(name string) Sink {
	return sinkOf(name, "webhook", &webhook.Config{
		URL: value.Inline("https://example.org/"), Method: "POST", Batch: "array", Compression: "none",
		IdempotencyHeader: "Idempotency-Key", MaxConnectionAge: value.Duration(10 * time.Minute),
	})
}

func mustUnmarshal(v interface{ UnmarshalText([]byte) error }, text string) {
	if err := v.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
}
