// SPDX-License-Identifier: Apache-2.0

package match

import (
	"fmt"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/event"
)

// large returns a filter with n patterns of about 800 states each.
func large(n int, text string) string {
	var clauses []string
	for i := range n {
		clauses = append(clauses, fmt.Sprintf(`message matches "((%s%d|b){9}){20}"`, text, i))
	}
	return strings.Join(clauses, " or ")
}

// Sinks that share a long filter by an anchor cost as much as one sink.
func TestEqualExpressionsAreCompiledOnce(t *testing.T) {
	c := NewCompiler(Vocabulary{})
	o := Options{Filter: large(50, "a"), Extract: "(?P<a>x{900})", Dedup: Dedup{Window: 1, Key: "captures.a"}}
	for range 1000 {
		if _, err := c.Compile(o); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.programs) != 2 || len(c.extractors) != 1 {
		t.Errorf("%d programs, %d extractors", len(c.programs), len(c.extractors))
	}
}

func TestTotalSizeOfPatternsIsLimited(t *testing.T) {
	c := NewCompiler(Vocabulary{})
	for i := range 1000 {
		_, err := c.Compile(Options{Filter: large(10, fmt.Sprint("x", i))})
		if err == nil {
			continue
		}
		if !strings.Contains(err.Error(), "the patterns of all sinks together are too large") || i == 0 {
			t.Fatalf("filter %d: %v", i, err)
		}
		if _, err := c.Compile(Options{Filter: large(10, "x0")}); err != nil {
			t.Errorf("a filter that was compiled before: %v", err)
		}
		return
	}
	t.Error("no limit was reached")
}

// Rules share compiled programs, but not the state of an event.
func TestRulesWithEqualExpressionsShareNoState(t *testing.T) {
	c := NewCompiler(Vocabulary{})
	o := Options{Extract: "(?P<disk>sd[a-z])", Filter: `captures.disk == "sda"`, Sample: 2}
	a, errA := c.Compile(o)
	b, errB := c.Compile(o)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	for i, tt := range []struct {
		rules *Rules
		text  string
		want  Verdict
	}{{a, "sda", Pass}, {b, "sdb", Filtered}, {a, "sdb", Filtered}, {b, "sda", Pass}} {
		e := event.Event{Seq: 2, Message: []byte(tt.text)}
		if got, err := tt.rules.Evaluate(&e); got != tt.want || err != nil {
			t.Errorf("%d: got %v, %v; want %v", i, got, err, tt.want)
		}
	}
}
