// SPDX-License-Identifier: Apache-2.0

package ratelog

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func logger() (*Logger, *bytes.Buffer) {
	var out bytes.Buffer
	return New(slog.New(slog.NewTextHandler(&out, nil))), &out
}

func linesOf(out *bytes.Buffer) int { return strings.Count(out.String(), "\n") }

// For an hour, one attempt per second fails, with texts that vary like those of real errors.
func TestVaryingTextsOfOneErrorAreOneLineAMinute(t *testing.T) {
	texts := map[string]func(n int) string{
		"the same": func(int) string { return "connection refused" },
		"source port": func(n int) string {
			return fmt.Sprintf("read tcp 127.0.0.1:%d->127.0.0.1:80: connection reset", 30000+n)
		},
		"IPv6":                    func(n int) string { return fmt.Sprintf("read tcp [::1]:%d->[::1]:80: connection reset", 30000+n) },
		"time":                    func(n int) string { return time.Unix(int64(n), 0).UTC().Format(time.RFC3339) + " not now" },
		"UUID":                    func(n int) string { return fmt.Sprintf(`503: {"request_id":"%08x-aaaa-bbbb-cccc"}`, n) },
		"count":                   func(n int) string { return fmt.Sprintf("took %d of 256 events", n) },
		"duration":                func(n int) string { return fmt.Sprintf("timed out after %v", time.Duration(n)*time.Millisecond) },
		"query":                   func(n int) string { return fmt.Sprintf("GET https://example.org/a?id=%d: refused", n) },
		"longer than is compared": func(n int) string { return strings.Repeat("long ", 1000) + strings.Repeat("x", n) },
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, out := logger()
				shown := 0
				for n := range 3600 {
					if l.Error("failed", "error", errors.New(text(n)), "attempt", n) {
						shown++
					}
					time.Sleep(time.Second)
				}
				if shown != 60 || linesOf(out) != 60 || strings.Count(out.String(), "such_lines_left_out=59\n") != 59 {
					t.Errorf("%d lines, reported %d:\n%.500s", linesOf(out), shown, out)
				}
				if strings.Contains(out.String(), "such_lines_left_out=0") {
					t.Error("the log contains a count of 0")
				}
			})
		})
	}
}

// The text of a server can vary in every letter.
func TestAnyTextsAreFewLinesAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := logger()
		random := rand.New(rand.NewPCG(1, 2))
		for range 600 {
			text := make([]byte, 20)
			for i := range text {
				text[i] = 'a' + byte(random.IntN(26))
			}
			l.Warn("failed", "error", string(text))
			time.Sleep(time.Second)
		}
		if n := linesOf(out); n > 10*burst {
			t.Errorf("%d lines in ten minutes", n)
		}
	})
}

type status struct {
	error
	code int
}

func (s status) Distinct() string { return fmt.Sprint(s.code) }

func TestAnotherKindIsLoggedAtOnce(t *testing.T) {
	kinds := map[string][]any{
		"first":              {"error", errors.New("connection refused")},
		"another text":       {"error", errors.New("no route to host")},
		"another status":     {"error", status{errors.New("exit status 1"), 1}},
		"yet another status": {"error", status{errors.New("exit status 2"), 2}},
		"a wrapped status":   {"error", fmt.Errorf("program: %w", status{errors.New("exit status 3"), 3})},
	}
	synctest.Test(t, func(t *testing.T) {
		l, out := logger()
		for name, args := range kinds {
			if !l.Error("failed", args...) {
				t.Errorf("%s: no line", name)
			}
			if l.Error("failed", args...) {
				t.Errorf("%s: a second line", name)
			}
		}
		if !l.Error("failed otherwise", kinds["first"]...) {
			t.Error("another message has no line")
		}
		if linesOf(out) != len(kinds)+1 {
			t.Errorf("lines:\n%s", out)
		}
	})
}

func TestAResolvedFaultIsLoggedAtOnceWithinTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := logger()
		shown := 0
		for range 60 { // it fails and recovers every second
			if l.Error("failed", "error", "x") {
				shown++
			}
			l.Reset("failed")
			time.Sleep(time.Second)
		}
		if shown != burst {
			t.Errorf("%d lines in a minute, want %d", shown, burst)
		}
		time.Sleep(time.Minute)
		if !l.Error("failed", "error", "x") {
			t.Error("no line a minute later")
		}
	})
}

func TestTheEndOfAFaultIsLoggedIfTheFaultWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := logger()
		l.Resolved("failed", "works")
		if linesOf(out) > 0 {
			t.Errorf("an end without a start was logged:\n%s", out)
		}
		for range 100 {
			l.Error("failed", "error", "x")
			l.Resolved("failed", "works")
			l.Resolved("failed", "works")
		}
		if n := strings.Count(out.String(), "msg=works"); n != burst || linesOf(out) != 2*burst {
			t.Errorf("%d lines of the end, %d lines, want %d and %d", n, linesOf(out), burst, 2*burst)
		}
	})
}

// FuzzNormalize checks that a normalized text is bounded, contains no digit, and does not
// change when it is normalized again.
func FuzzNormalize(f *testing.F) {
	f.Add("dial tcp 127.0.0.1:80: connect: connection refused")
	f.Add("\xff1\x00 (2)")
	form := func(text string) string {
		var b strings.Builder
		normalize(&b, text)
		return b.String()
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := form(text)
		if strings.ContainsAny(once, "0123456789") || len(once) > maxKind {
			t.Errorf("%q becomes %q", text, once)
		}
		if again := form(once); again != once {
			t.Errorf("%q becomes %q, and then %q", text, once, again)
		}
	})
}
