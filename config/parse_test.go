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
)

var update = flag.Bool("update", false, "write the golden error messages anew")

// The messages are the interface to the person who made the mistake, so each
// is kept to the letter beside the file that provokes it.
func TestParseBad(t *testing.T) {
	for _, path := range glob(t, "testdata/bad/*.yaml", 50) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := Parse(filepath.Base(path), readTestFile(t, path))
			var errs Errors
			if !errors.As(err, &errs) {
				t.Fatalf("got error %v, want Errors", err)
			}
			golden := strings.TrimSuffix(path, ".yaml") + ".err"
			got := err.Error() + "\n"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(readTestFile(t, golden)), got); diff != "" {
				t.Errorf("error messages (-want +got):\n%s", diff)
			}
		})
	}
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
		"echo-off":        func(c *Config) { c.Echo = Echo{0, Duration(48 * time.Hour)} },
		"echo-equal":      func(c *Config) { c.Echo.Interval = Duration(5 * time.Second) },
		"http-off":        func(c *Config) { c.HTTP.Listen = "" },
		"http-ipv6":       func(c *Config) { c.HTTP.Listen = "[fe80::1%eth0]:0" },
		"http-all":        func(c *Config) { c.HTTP.Listen = ":9941" },
		"sizes":           func(c *Config) { c.Receiver.Buffer, c.Journal.MaxBytes = 1<<20, 10e9 },
		"quoted":          func(c *Config) { c.Receiver.Buffer, c.Log.Level = 128<<20, logLevel("warn") },
		"stdout-null":     func(c *Config) { c.Sinks[0].Name = "out" },
		"file":            func(c *Config) { c.Sinks = []Sink{fileSink("a", "/var/log/x")} },
		"file-all": func(c *Config) {
			s := fileSink("a.b_c-1", "/var/log/x")
			s.BatchEvents, s.AttemptTimeout = 10000, Duration(90*time.Second)
			s.RetryMin, s.RetryMax = Duration(time.Second), Duration(time.Second)
			s.File.Mode, s.File.Fsync = 0o600, FsyncNever
			c.Sinks = []Sink{s}
		},
		"two-sinks": func(c *Config) { c.Sinks = []Sink{fileSink("b", "/x"), stdoutSink("a")} },
		"event": func(c *Config) {
			c.Event = Event{Host: "web-1.example.org", Labels: map[string]string{"site": "berlin", "rack": "7", "_x1": "\u00e9"}, MachineID: true, BootID: true, KernelRelease: true}
		},
		"envelopes": func(c *Config) {
			c.Sinks = []Sink{stdoutSink("a"), stdoutSink("b"), stdoutSink("c"), stdoutSink("d"), stdoutSink("e")}
			c.Sinks[0].Envelope, c.Sinks[0].Template, c.Sinks[0].ContentType = EnvelopeTemplate, "{{.Host}}:\n{{.Text}}\n", "text/html; charset=utf-8"
			c.Sinks[1].Envelope, c.Sinks[1].CloudEvents.Source, c.Sinks[1].CloudEvents.Type = EnvelopeCloudEvents, "urn:x:%20", "org.example-x"
			c.Sinks[2].Envelope, c.Sinks[2].RFC5424 = EnvelopeRFC5424, RFC5424{"local7", "notice", "x[1]"}
			c.Sinks[3].Envelope, c.Sinks[3].ContentType = EnvelopeRaw, "text/plain"
			c.Sinks[4].Envelope = EnvelopeLogfmt
		},
		"webhook": func(c *Config) { c.Sinks = []Sink{webhookSink()} },
		"webhook-all": func(c *Config) {
			c.Sinks = []Sink{webhookSink()}
			*c.Sinks[0].Webhook = Webhook{
				URL: Secret{Credential: "url"}, Method: "PUT", Batch: WebhookBatchLines, Compression: CompressionZstd,
				Bearer:  inline("hunter2\n"),
				Headers: []Header{{"X-Number", inline("0123")}, {"X-Key", Secret{Env: "KEY"}}},
				Proxy:   inline(ProxyEnvironment),
				TLS:     TLS{CA: TLSFile{File: "/ca"}, Cert: TLSFile{Credential: "cert"}, Key: TLSFile{Credential: "key"}, ServerName: "::1"},
				Taken:   []int{409}, Retry: []int{400, 422}, Permanent: []int{500},
				Response: "json.errors == false",
			}
		},
		"webhook-signed": func(c *Config) {
			c.Sinks = []Sink{webhookSink()}
			w := c.Sinks[0].Webhook
			w.Basic = BasicAuth{User: "a", Password: Secret{File: "/p"}}
			w.SigningSecrets = []Secret{{Credential: "new"}, inline("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")}
		},
		"name-quoted": func(c *Config) { c.Sinks = []Sink{stdoutSink("5"), stdoutSink("no")} },
		"journald": func(c *Config) {
			c.Sinks = []Sink{stdoutSink("a"), stdoutSink("b")}
			c.Sinks[0].Stdout, c.Sinks[1].Stdout = nil, nil
			c.Sinks[0].Journald = &Journald{Socket: "/run/systemd/journal/socket", Identifier: "genltest", Priority: "info"}
			c.Sinks[1].Journald = &Journald{
				Socket: "/run/systemd/journal.events/socket", Identifier: "events of b", Priority: "crit",
				Fields: []JournaldField{{Name: "SITE"}, {"X_0", "two\nlines"}},
			}
		},
		"exec": func(c *Config) {
			c.Sinks = []Sink{stdoutSink("a"), stdoutSink("b"), stdoutSink("c")}
			for i := range c.Sinks {
				c.Sinks[i].Stdout = nil
				c.Sinks[i].Exec = &Exec{
					Argv: []string{"/bin/cat"}, Mode: ExecEvent,
					Timeout: Duration(5 * time.Second), Concurrency: 1, Grace: Duration(500 * time.Millisecond),
				}
			}
			c.Sinks[1].AttemptTimeout, c.Sinks[2].AttemptTimeout = Duration(time.Minute), Duration(time.Second)
			*c.Sinks[1].Exec = Exec{
				Argv: []string{"/bin/sh", "-c", "", "5"}, Mode: ExecEvent, Timeout: Duration(time.Minute), Concurrency: 64, User: "nobody",
				Limits:      ExecLimits{Memory: 1 << 30, CPU: Duration(2 * time.Second), Files: 16, Processes: 32},
				Environment: []ExecVariable{{Name: "A"}, {"b_1", "="}},
			}
			c.Sinks[2].Exec.Mode = ExecStream
		},
		"listed-defaults": func(c *Config) {
			c.Sinks = []Sink{fileSink("a", "/x"), stdoutSink("b")}
			c.Sinks[0].Envelope, c.Sinks[1].Stdout = EnvelopeJSON, nil
			c.Sinks[1].Socket = &Socket{
				Mode: SocketConnect, Address: "unix:///run/collector.sock",
				MaxConnectionAge: Duration(10 * time.Minute), Listen: SocketListener{Permissions: 0o660, Buffer: 1 << 20, MaxReaders: 16},
			}
		},
		"extensions":   func(c *Config) { c.Log.Level = logLevel("debug") },
		"key-merge":    func(c *Config) { c.Sinks = []Sink{stdoutSink("out"), stdoutSink("two")} },
		"labels-empty": func(*Config) {},
		"labels-merge": func(c *Config) { c.Event.Labels = map[string]string{"a": "b"} },
		"alias": func(c *Config) {
			c.Echo = Echo{Duration(7 * time.Second), Duration(7 * time.Second)}
			c.Sinks = []Sink{fileSink("a", "/x"), stdoutSink("b")}
			c.Sinks[1].AttemptTimeout = Duration(7 * time.Second)
		},
	}
	for _, path := range glob(t, "testdata/good/*.yaml", len(want)) {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			got, err := Parse(path, readTestFile(t, path))
			if err != nil {
				t.Fatal(err)
			}
			c := Default()
			want[name](c)
			if diff := cmp.Diff(c, got, ignoreSource); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
		})
	}
}

// The fields are what a program needs to show a fault in its own way.
func TestParseErrorFields(t *testing.T) {
	_, err := Parse("/etc/genltestd.yaml", []byte("sinks:\n  - name: out\n    fiel: {}\n"))
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

func TestParseErrorsAreInOrderOfTheFile(t *testing.T) {
	_, err := Parse("x", readTestFile(t, "testdata/bad/many-faults.yaml"))
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

func stdoutSink(name string) Sink {
	s := Default().Sinks[0]
	s.Name = name
	return s
}

func fileSink(name, path string) Sink {
	s := stdoutSink(name)
	s.Stdout = nil
	s.File = &File{Path: path, Mode: 0o640, Fsync: FsyncBatch, Rotate: Rotate{Compress: CompressGzip}}
	return s
}

func webhookSink() Sink {
	s := stdoutSink("hook")
	s.Stdout = nil
	s.Webhook = &Webhook{
		URL: inline("https://example.org/"), Method: "POST", Batch: WebhookBatchArray, Compression: CompressionNone,
		IdempotencyHeader: "Idempotency-Key", MaxConnectionAge: Duration(10 * time.Minute),
	}
	return s
}

func inline(text string) (s Secret) {
	mustUnmarshal(&s, text)
	return s
}

func mustUnmarshal(v interface{ UnmarshalText([]byte) error }, text string) {
	if err := v.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
}
