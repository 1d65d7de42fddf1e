// SPDX-License-Identifier: Apache-2.0

//go:build kernel

package kmod_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/genetlink"
	"golang.org/x/sys/unix"
)

func TestEventContainsTheWrittenText(t *testing.T) {
	genltestModule.mustLoad(t)
	l := listen(t)

	for name, tt := range map[string]struct{ write, want string }{
		"only a newline":             {"\n", ""},
		"one byte":                   {"x", "x"},
		"one byte and a newline":     {"x\n", "x"},
		"two newlines, one stays":    {"x\n\n", "x\n"},
		"newlines within":            {"a\nb\n", "a\nb"},
		"spaces at both ends":        {"  x  ", "  x  "},
		"1024 bytes":                 {strings.Repeat("x", 1024), strings.Repeat("x", 1024)},
		"3500 bytes":                 {strings.Repeat("y", 3500) + "\n", strings.Repeat("y", 3500)},
		"longest":                    {strings.Repeat("z", textMax), strings.Repeat("z", textMax)},
		"longest and a newline":      {strings.Repeat("z", textMax) + "\n", strings.Repeat("z", textMax)},
		"not UTF-8":                  {"\xff\xfe\x80\xc3(\n", "\xff\xfe\x80\xc3("},
		"terminal control sequences": {"\x1b[31mred\x1b[0m\a\r\n", "\x1b[31mred\x1b[0m\a\r"},
		"format directives":          {"%s%n%p\n", "%s%n%p"},
	} {
		t.Run(name, func(t *testing.T) {
			mustWrite(t, pingPath, tt.write)
			if diff := cmp.Diff(tt.want, l.mustNext(t).Text); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			l.wantNone(t)
		})
	}
}

func TestRejectedTextSendsNothingAndUsesNoNumber(t *testing.T) {
	genltestModule.mustLoad(t)
	l := listen(t)
	var seq uint64

	for name, tt := range map[string]struct {
		write string
		want  error
	}{
		"one byte too long":                {strings.Repeat("x", textMax+1), unix.EMSGSIZE},
		"one byte too long and a newline":  {strings.Repeat("x", textMax+1) + "\n", unix.EMSGSIZE},
		"a page less one":                  {strings.Repeat("x", 4095), unix.EMSGSIZE},
		"a page":                           {strings.Repeat("x", 4096), unix.EMSGSIZE},
		"a page that sysfs cuts from more": {strings.Repeat("x", 4095) + "\ny\n", unix.EMSGSIZE},
		"5000 bytes":                       {strings.Repeat("x", 5000), unix.EMSGSIZE},
		"100000 bytes":                     {strings.Repeat("x", 100_000), unix.EMSGSIZE},
		"NUL within":                       {"a\x00b\n", unix.EINVAL},
		"NUL first":                        {"\x00a", unix.EINVAL},
		"NUL last":                         {"a\x00", unix.EINVAL},
		"NUL before the newline":           {"a\x00\n", unix.EINVAL},
		"too long with a NUL":              {strings.Repeat("\x00", 5000), unix.EMSGSIZE},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := write(pingPath, tt.write)
			if !errors.Is(err, tt.want) {
				t.Errorf("write: got %d, %v, want %v", n, err, tt.want)
			}
			l.wantNone(t)

			mustWrite(t, pingPath, "next\n")
			seq++
			if got := l.mustNext(t); got.Text != "next" || got.Seq != seq {
				t.Errorf("the next event: got %q with number %d, want %d", got.Text, got.Seq, seq)
			}
		})
	}
}

func TestRestOfARejectedTextIsNotSent(t *testing.T) {
	genltestModule.mustLoad(t)
	page := strings.Repeat("x", 4096)

	type step struct {
		write string
		want  error
	}
	for name, tt := range map[string]struct {
		steps []step // on one open file
		want  []string
	}{
		"a newline by itself": {
			[]step{{page, unix.EMSGSIZE}, {"\n", unix.EMSGSIZE}, {"next\n", nil}},
			[]string{"next"},
		},
		"the rest in pieces": {
			[]step{{page, unix.EMSGSIZE}, {"y", unix.EMSGSIZE}, {page, unix.EMSGSIZE}, {"z\n", unix.EMSGSIZE}, {"next", nil}},
			[]string{"next"},
		},
		"a text that ends with its refusal": {
			[]step{{strings.Repeat("x", textMax+1) + "\n", unix.EMSGSIZE}, {"next\n", nil}},
			[]string{"next"},
		},
		"after events on the same file": {
			[]step{{"a\n", nil}, {"b", nil}, {page, unix.EMSGSIZE}, {"rest\n", unix.EMSGSIZE}, {"c\n", nil}, {"d", nil}},
			[]string{"a", "b", "c", "d"},
		},
		"a NUL ends with its write": {
			[]step{{"a\x00b", unix.EINVAL}, {"next", nil}},
			[]string{"next"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			fd := mustOpen(t, pingPath)
			for i, s := range tt.steps {
				if _, err := unix.Write(fd, []byte(s.write)); !errors.Is(err, s.want) {
					t.Errorf("write %d: got %v, want %v", i, err, s.want)
				}
			}
			var got []string
			for _, e := range l.drain(t) {
				got = append(got, e.Text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRejectionAppliesOnlyToTheOpenFile(t *testing.T) {
	genltestModule.mustLoad(t)
	l := listen(t)
	long := []byte(strings.Repeat("x", 5000))

	fd := mustOpen(t, pingPath)
	if _, err := unix.Write(fd, long); !errors.Is(err, unix.EMSGSIZE) {
		t.Fatalf("got %v, want EMSGSIZE", err)
	}
	mustWrite(t, pingPath, "of another open file")
	if got := l.mustNext(t).Text; got != "of another open file" {
		t.Fatalf("got %q", got)
	}

	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(fd, []byte("after a seek")); err != nil {
		t.Fatal(err)
	}
	if got := l.mustNext(t).Text; got != "after a seek" {
		t.Fatalf("got %q", got)
	}
}

func TestSenderOfAnEventIsTheKernel(t *testing.T) {
	genltestModule.mustLoad(t)
	l := listen(t)
	mustWrite(t, pingPath, "hello\n")
	got := l.mustNext(t)

	if got.Source != 0 || got.Header.PID != 0 || got.Header.Sequence != 0 || got.Header.Flags != 0 {
		t.Errorf("source %d, header %+v: want 0 in all fields", got.Source, got.Header)
	}
	if id := mustGetFamily(t).ID; uint16(got.Header.Type) != id {
		t.Errorf("type: got %d, want the family's %d", got.Header.Type, id)
	}
	if want := (genetlink.Header{Command: cmdEcho, Version: 1}); got.Genl != want {
		t.Errorf("generic header: got %+v, want %+v", got.Genl, want)
	}
	if diff := cmp.Diff([]uint16{attrMsg, attrSeq, attrTime, attrLoadID}, got.Attrs); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

func TestEventHasTheTimeOfTheWrite(t *testing.T) {
	genltestModule.mustLoad(t)
	l := listen(t)
	for range 100 {
		before := time.Now().UnixNano()
		mustWrite(t, pingPath, "hello\n")
		after := time.Now().UnixNano()
		if got := int64(l.mustNext(t).Time); got < before || got > after {
			t.Fatalf("time: got %d, want between %d and %d", got, before, after)
		}
	}
}

func TestNumbersOfConcurrentWritersAreConsecutive(t *testing.T) {
	const writers, each = 4, 2500
	genltestModule.mustLoad(t)
	l := listen(t)

	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := write(pingPath, fmt.Sprintf("%d %d\n", w, i)); err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
			}
		})
	}
	wg.Wait()

	events := l.drain(t)
	if len(events) != writers*each || l.drops(t) != 0 {
		t.Fatalf("got %d events and %d drops, want %d and 0", len(events), l.drops(t), writers*each)
	}
	var next [writers]int
	var last uint64
	for i, e := range events {
		var w, n int
		if _, err := fmt.Sscanf(e.Text, "%d %d", &w, &n); err != nil {
			t.Fatalf("text %q: %v", e.Text, err)
		}
		if e.Seq != uint64(i+1) || n != next[w] || e.Time < last {
			t.Fatalf("event %d: number %d, text %q instead of %d, time %d after %d", i, e.Seq, e.Text, next[w], e.Time, last)
		}
		next[w]++
		last = e.Time
	}
}

func TestEventsWithoutListenersAreCounted(t *testing.T) {
	genltestModule.mustLoad(t)
	for range 7 {
		mustWrite(t, pingPath, "unheard\n")
	}
	mustWrite(t, burstPath, "100 unheard\n")

	l := listen(t)
	mustWrite(t, pingPath, "heard\n")
	if got := l.mustNext(t).Seq; got != 108 {
		t.Fatalf("number of the first received event: got %d, want 108", got)
	}
}

func TestFullListenerCausesNoWriteError(t *testing.T) {
	const n = 2000
	genltestModule.mustLoad(t)
	full, big := listenWith(t, smallBuffer), listen(t)
	for range n {
		mustWrite(t, pingPath, "hello\n")
	}
	if got := len(full.drain(t)); got == n || got+full.drops(t) != n {
		t.Errorf("small buffer: got %d events and %d drops, want %d together", got, full.drops(t), n)
	}
	if got := len(big.drain(t)); got != n {
		t.Errorf("big buffer: got %d events, want %d", got, n)
	}
}

func TestEventsAreNotInTheKernelLog(t *testing.T) {
	genltestModule.mustLoad(t)
	since := logSince(t)
	for range 100 {
		mustWrite(t, pingPath, "unheard\n")
	}
	l := listen(t)
	for range 100 {
		mustWrite(t, pingPath, "heard\n")
	}
	mustWrite(t, burstPath, "100 heard\n")
	if _, err := write(pingPath, strings.Repeat("x", 5000)); err == nil {
		t.Error("5000 bytes were accepted")
	}
	if got := len(l.drain(t)); got != 200 {
		t.Errorf("got %d events, want 200", got)
	}
	if lines := since(); len(lines) != 0 {
		t.Errorf("kernel log: %q", lines)
	}
}
