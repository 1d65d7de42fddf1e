// SPDX-License-Identifier: Apache-2.0

package stdout

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// A pipe accepts writes as the test specifies.
type pipe struct {
	text  strings.Builder
	allow chan writeResult
}

type writeResult struct {
	n   int
	err error
}

func (p *pipe) Write(b []byte) (int, error) {
	a := <-p.allow
	a.n = min(a.n, len(b))
	p.text.Write(b[:a.n])
	return a.n, a.err
}

// An attempt hangs in its write, which then ends in one of several ways; the next attempt
// has the expected result.
func TestAttemptContinuesAfterTheHungWrite(t *testing.T) {
	broken := errors.New("broken pipe")
	for name, c := range map[string]struct {
		ended writeResult // of the write that hung, of the lines a, bb and ccc
		next  [][]string  // events of the following attempts
		want  string
	}{
		"all written": {writeResult{9, nil}, [][]string{{"a", "bb", "ccc"}, {"d"}}, "a\nbb\nccc\nd\n"},
		"all written, fewer events in the next attempt": {writeResult{9, nil}, [][]string{{"a"}, {"bb", "ccc", "d"}}, "a\nbb\nccc\nd\n"},
		"all written, more events in the next attempt":  {writeResult{9, nil}, [][]string{{"a", "bb", "ccc", "d"}}, "a\nbb\nccc\nd\n"},
		"truncated": {writeResult{4, broken}, [][]string{{}, {"a", "bb", "ccc"}}, "a\nbb\nccc\n"},
		"truncated, fewer events in the next attempt": {writeResult{4, broken}, [][]string{{}, {"a", "bb"}, {"ccc"}}, "a\nbb\nccc\n"},
		"truncated, single events":                    {writeResult{4, broken}, [][]string{{}, {"a"}, {"bb"}, {"ccc"}}, "a\nbb\nccc\n"},
		"nothing written":                             {writeResult{0, broken}, [][]string{{}, {"a", "bb", "ccc"}}, "a\nbb\nccc\n"},
		"all written, events dropped":                 {writeResult{9, nil}, [][]string{{"d"}}, "a\nbb\nccc\nd\n"},
		"truncated, events dropped":                   {writeResult{4, broken}, [][]string{{}, {"d"}}, "a\nbb\nd\n"},
		"truncated within a line, events dropped":     {writeResult{3, broken}, [][]string{{}, {"d"}}, "a\nb\nd\n"},
		"truncated within a line, one event dropped":  {writeResult{3, broken}, [][]string{{}, {"a"}, {"ccc"}}, "a\nb\nccc\n"},
		"short write without an error":                {writeResult{3, nil}, [][]string{{}, {"a", "bb", "ccc"}}, "a\nbb\nccc\n"},
		"all written, unencodable event next":         {writeResult{9, nil}, [][]string{{sinktest.Refused}, {"a", "bb", "ccc"}}, "a\nbb\nccc\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pipe{allow: make(chan writeResult)}
				s := New(p, sinktest.Text{})
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if n, err := s.Deliver(ctx, sinktest.Texts("a", "bb", "ccc")); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("accepted %d, %v, without a reader", n, err)
				}
				p.allow <- c.ended
				synctest.Wait()
				close(p.allow) // and from now on
				p.allow = make(chan writeResult, 100)
				for range 100 {
					p.allow <- writeResult{1 << 20, nil}
				}
				for _, list := range c.next {
					n, err := s.Deliver(t.Context(), sinktest.Texts(list...))
					if n != len(list) || err != nil && len(list) > 0 {
						if len(list) == 1 && list[0] == sinktest.Refused {
							continue
						}
						t.Fatalf("accepted %d of %q, %v", n, list, err)
					}
				}
				if diff := cmp.Diff(c.want, p.text.String()); diff != "" {
					t.Errorf("the stream has (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// The write of the newline that ends a dropped line may fail too.
func TestAbandonedLineIsTerminatedLater(t *testing.T) {
	p := &pipe{allow: make(chan writeResult, 10)}
	s := New(p, sinktest.Text{})
	for i, step := range []struct {
		allow    writeResult
		sent     string
		accepted int
	}{
		{writeResult{2, io.ErrClosedPipe}, "aaaa", 0},
		{writeResult{0, io.ErrClosedPipe}, "bb", 0},
		{writeResult{0, io.ErrClosedPipe}, "cc", 0},
		{writeResult{2, io.ErrClosedPipe}, "dd", 0},
		{writeResult{100, nil}, "dd", 1},
	} {
		p.allow <- step.allow
		if n, err := s.Deliver(t.Context(), sinktest.Texts(step.sent)); n != step.accepted || (err == nil) != (n == 1) {
			t.Errorf("attempt %d accepted %d, %v", i, n, err)
		}
	}
	if got := p.text.String(); got != "aa\ndd\n" {
		t.Errorf("the stream has %q", got)
	}
}
