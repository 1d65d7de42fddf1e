// SPDX-License-Identifier: Apache-2.0

//go:build kernel

package kmod_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestBurstIntoALargeBufferIsReceivedCompletely(t *testing.T) {
	const n = 20_000
	genltestModule.mustLoad(t)
	l := listen(t)
	mustWrite(t, burstPath, fmt.Sprintf("%d some text\n", n))

	events := l.drain(t)
	if len(events) != n || l.drops(t) != 0 {
		t.Fatalf("got %d events and %d drops, want %d and 0", len(events), l.drops(t), n)
	}
	for i, e := range events {
		if want := fmt.Sprintf("some text %d", i+1); e.Text != want || e.Seq != uint64(i+1) {
			t.Fatalf("event %d: got %q with number %d, want %q", i, e.Text, e.Seq, want)
		}
	}
}

func TestBurstIntoASmallBufferIsReceivedOrCounted(t *testing.T) {
	const n = 20_000
	genltestModule.mustLoad(t)
	l := listenWith(t, smallBuffer)
	mustWrite(t, burstPath, fmt.Sprintf("%d some text\n", n))

	received, drops := len(l.drain(t)), l.drops(t)
	if received == 0 || drops == 0 || received+drops != n {
		t.Errorf("got %d events and %d drops, want %d together", received, drops, n)
	}
}

func TestConcurrentBurstsKeepTheirOrder(t *testing.T) {
	const n = 5000
	genltestModule.mustLoad(t)
	l := listen(t)
	done := make(chan error, 2)
	for _, text := range []string{"a", "b"} {
		go func() {
			_, err := write(burstPath, fmt.Sprintf("%d %s", n, text))
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	next := map[string]int{"a": 1, "b": 1}
	for i, e := range l.drain(t) {
		text, _, _ := strings.Cut(e.Text, " ")
		if e.Text != fmt.Sprintf("%s %d", text, next[text]) || e.Seq != uint64(i+1) {
			t.Fatalf("event %d: %q with number %d", i, e.Text, e.Seq)
		}
		next[text]++
	}
	if next["a"] != n+1 || next["b"] != n+1 {
		t.Fatalf("got up to %v, want %d each", next, n)
	}
}

func TestBurstAcceptsTheLimits(t *testing.T) {
	genltestModule.mustLoad(t)
	l := listen(t)
	for name, tt := range map[string]struct {
		write string
		last  string
		n     int
	}{
		"one":                    {"1 a", "a 1", 1},
		"leading zeros":          {"003 a\n", "a 3", 3},
		"a text with spaces":     {"2 a b  c \n", "a b  c  2", 2},
		"a text of one space":    {"1  ", "  1", 1},
		"the longest text":       {"10 " + strings.Repeat("x", textMax-3), strings.Repeat("x", textMax-3) + " 10", 10},
		"the longest and a line": {"10 " + strings.Repeat("x", textMax-3) + "\n", strings.Repeat("x", textMax-3) + " 10", 10},
	} {
		t.Run(name, func(t *testing.T) {
			mustWrite(t, burstPath, tt.write)
			events := l.drain(t)
			if len(events) != tt.n || events[len(events)-1].Text != tt.last {
				t.Errorf("got %d events, want %d that end with %q: %+v", len(events), tt.n, tt.last, events)
			}
		})
	}
}

func TestBurstRejectsBadInputAndSendsNothing(t *testing.T) {
	genltestModule.mustLoad(t)
	l := listen(t)
	for name, tt := range map[string]struct {
		write string
		want  error
	}{
		"nothing":                {"\n", unix.EINVAL},
		"no text":                {"5\n", unix.EINVAL},
		"empty text":             {"5 \n", unix.EINVAL},
		"no count":               {"text\n", unix.EINVAL},
		"text before the count":  {"text 5\n", unix.EINVAL},
		"a space first":          {" 5 text\n", unix.EINVAL},
		"a tab for a space":      {"5\ttext\n", unix.EINVAL},
		"a sign":                 {"+5 text\n", unix.EINVAL},
		"negative":               {"-5 text\n", unix.EINVAL},
		"hexadecimal":            {"0x5 text\n", unix.EINVAL},
		"a unit":                 {"5k text\n", unix.EINVAL},
		"a fraction":             {"5.0 text\n", unix.EINVAL},
		"a newline in the count": {"5\n text\n", unix.EINVAL},
		"NUL in the text":        {"5 te\x00xt\n", unix.EINVAL},
		"NUL in the count":       {"5\x00 text\n", unix.EINVAL},
		"zero":                   {"0 text\n", unix.ERANGE},
		"one too many":           {"10000001 text\n", unix.ERANGE},
		"more than 32 bits":      {"4294967297 text\n", unix.ERANGE},
		"more than 64 bits":      {"18446744073709551617 text\n", unix.ERANGE},
		"the last text too long": {"10 " + strings.Repeat("x", textMax-2), unix.EMSGSIZE},
		"cut by sysfs":           {"10 " + strings.Repeat("x", 5000), unix.EMSGSIZE},
	} {
		t.Run(name, func(t *testing.T) {
			if n, err := write(burstPath, tt.write); !errors.Is(err, tt.want) {
				t.Errorf("write: got %d, %v, want %v", n, err, tt.want)
			}
			l.wantNone(t)
		})
	}

	mustWrite(t, pingPath, "next\n")
	if got := l.mustNext(t).Seq; got != 1 {
		t.Errorf("number of the next event: got %d, want 1", got)
	}
}

func TestSignalInterruptsABurst(t *testing.T) {
	genltestModule.mustLoad(t)
	l := listenWith(t, smallBuffer)

	thread := make(chan int, 1)
	result := make(chan error, 1)
	fd := mustOpen(t, burstPath)
	go func() {
		runtime.LockOSThread()
		thread <- unix.Gettid()
		_, err := unix.Write(fd, []byte("10000000 burst\n"))
		result <- err
	}()
	tid := <-thread
	l.mustNext(t)

	// The runtime handles this signal, and restarts system calls where that is possible.
	if err := unix.Tgkill(os.Getpid(), tid, unix.SIGURG); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, unix.EINTR) {
		t.Fatalf("the burst ended with %v, want EINTR", err)
	}

	received, drops := len(l.drain(t))+1, l.drops(t)
	after := listen(t)
	mustWrite(t, pingPath, "after\n")
	if got := after.mustNext(t).Seq; got != uint64(received+drops+1) {
		t.Errorf("number after the burst: got %d, want %d received + %d dropped + 1", got, received, drops)
	}
}
