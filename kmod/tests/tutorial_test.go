// SPDX-License-Identifier: Apache-2.0

//go:build kernel

package kmod_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// writeAll repeats the write until all bytes are written, like libc and most programs.
func writeAll(t *testing.T, path, data string) {
	t.Helper()
	fd := mustOpen(t, path)
	for b := []byte(data); len(b) > 0; {
		n, err := unix.Write(fd, b)
		if err != nil {
			t.Fatalf("write %d bytes: %v", len(b), err)
		}
		b = b[n:]
	}
}

func TestTutorialEventsMatchTheRecording(t *testing.T) {
	tutorialModule.mustLoad(t)
	l := listen(t)
	x := func(n int) string { return strings.Repeat("x", n) }

	for name, tt := range map[string]struct {
		write string
		want  []string
	}{
		"the newline stays":             {"hello\n", []string{"hello\n"}},
		"a newline is an event":         {"\n", []string{"\n"}},
		"a NUL cuts":                    {"emb\x00edded\n", []string{"emb"}},
		"1024 bytes":                    {x(1024), []string{x(1024)}},
		"3000 bytes are written thrice": {x(3000), []string{x(3000), x(1976), x(952)}},
		"sysfs cuts at a page":          {x(5000), []string{x(4096), x(3976), x(2952), x(1928), x(904)}},
	} {
		t.Run(name, func(t *testing.T) {
			writeAll(t, pingPath, tt.write)
			var got []string
			for _, e := range l.drain(t) {
				got = append(got, e.Text)
				if diff := cmp.Diff([]uint16{attrMsg}, e.Attrs); diff != "" {
					t.Errorf("attributes (-want +got):\n%s", diff)
				}
				if e.Source != 0 || e.Header.Sequence != 0 || e.Header.PID != 0 || e.Genl.Version != 1 {
					t.Errorf("headers: %+v", e)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTutorialMessageCanBe4124Bytes(t *testing.T) {
	tutorialModule.mustLoad(t)
	l := listen(t)
	if n, err := write(pingPath, strings.Repeat("x", 4096)); n != 1024 || err != nil {
		t.Fatalf("write: got %d, %v, want 1024", n, err)
	}
	if got := l.mustNext(t).Header.Length; got != 4124 {
		t.Fatalf("length of the message: got %d, want 4124", got)
	}
}

func TestTutorialWriterReceivesNoError(t *testing.T) {
	tutorialModule.mustLoad(t)
	since := logSince(t)
	mustWrite(t, pingPath, "nobody listens\n")
	want := []string{"genltest_tutorial: multicast message sent, but nobody was listening..."}
	if diff := cmp.Diff(want, since()); diff != "" {
		t.Errorf("kernel log (-want +got):\n%s", diff)
	}
}

func TestTutorialLogsEveryMessageRaw(t *testing.T) {
	tutorialModule.mustLoad(t)
	listen(t)
	since := logSince(t)
	for range 50 {
		mustWrite(t, pingPath, "hello\n")
	}
	if got := len(since()); got != 50 {
		t.Errorf("50 events: got %d lines", got)
	}

	since = logSince(t)
	for range 50 {
		if _, _, _, err := request(t, cmdEcho, 0, mustMarshal(t, attr(attrMsg, "\ttab\x00"))); err != nil {
			t.Fatal(err)
		}
	}
	lines := since()
	if len(lines) != 100 || lines[0] != "genltest_tutorial: message received: \ttab" || lines[1] != "genltest_tutorial: reply sent" {
		t.Errorf("50 echoes: got %d lines: %q", len(lines), lines[:min(2, len(lines))])
	}
}

func TestTutorialEchoAcceptsTextsThatGenltestRejects(t *testing.T) {
	tutorialModule.mustLoad(t)
	for name, tt := range map[string]struct {
		attrs []netlink.Attribute
		want  error
	}{
		"no text":           {nil, nil},
		"a text":            {[]netlink.Attribute{attr(attrMsg, "hello\x00")}, nil},
		"NUL within":        {[]netlink.Attribute{attr(attrMsg, "a\x00b\x00")}, nil},
		"long":              {[]netlink.Attribute{attr(attrMsg, strings.Repeat("x", 60_000)+"\x00")}, nil},
		"no NUL":            {[]netlink.Attribute{attr(attrMsg, "hello")}, unix.EINVAL},
		"unknown attribute": {[]netlink.Attribute{attr(attrSeq, "12345678")}, unix.EINVAL},
	} {
		t.Run(name, func(t *testing.T) {
			genl, _, _, err := request(t, cmdEcho, 0, mustMarshal(t, tt.attrs...))
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(mustMarshal(t, attr(attrMsg, reply+"\x00")), genl.Data); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
			if want := (genetlink.Header{Command: cmdEcho, Version: 1}); genl.Header != want {
				t.Errorf("generic header: got %+v, want %+v", genl.Header, want)
			}
		})
	}
}

func TestTutorialLeavesNothing(t *testing.T) {
	for range 10 {
		if err := tutorialModule.load(t); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(pingPath); err != nil {
			t.Error(err)
		}
		tutorialModule.mustUnload(t)
		wantUnloaded(t)
	}
}
