// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/daemon/sinks"
)

// maxErrors limits the errors of one configuration.
const maxErrors = 100

// A hostile configuration is read in bounded time and memory, with an error that fits a
// screen. A quarter of the largest file suffices to show unbounded growth. The time limit is
// generous because of the race detector.
func TestParseHostile(t *testing.T) {
	size := strict.MaxFile / 4
	if testing.Short() {
		size = strict.MaxFile / 8
	}
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	tests := []struct {
		name, text, want string
	}{
		{"too large", strings.Repeat("#", strict.MaxFile+1), "the file is larger than 1MiB"},
		{"bomb in an unknown key", nestedLists("x"), "unknown key"},
		{"bomb in the sinks", nestedLists("sinks"), "must have keys"},
		{
			"aliases of a large sink",
			"sinks: [&a {batch_events: 1, retry_min: 1s, retry_max: 1s, stdout: {}, name: a}" + strings.Repeat(",*a", size/3) + "]",
			"expand to more than 10000 values",
		},
		{"aliases of many faults", "sinks: [&a {" + unknownKeys(1000, ", ") + "}" + strings.Repeat(",*a", size/3) + "]", "100 faults"},
		{"bomb of merge keys", nestedMerges("") + "sinks: [{<<: *m9}]", "expand to more than 10000 values"},
		{"bomb of lists of merge keys", nestedMerges("k: 1, ") + "event: {labels: {<<: *m9}}", "expand to more than 10000 values"},
		{
			"merge of many keys by many",
			"x-a: &a {" + unknownKeys(1000, ", ") + "}\nsinks: [" + strings.Repeat("{<<: *a},", size/9) + "]", "100 faults",
		},
		{
			"merge of one sink by many",
			"x-a: &a {batch_events: 1, stdout: {}}\nsinks: [" + manySinks(size/40) + "]", "expand to more than 10000 values",
		},
		{"deep merge keys", fill("<<: {a: "), ""},
		{"merge keys", "{" + fill("<<: {},") + "}", "100 faults"},
		{"unknown keys", unknownKeys(20000, "\n"), "100 faults"},
		{"sinks", "sinks:\n" + strings.Repeat(" - {}\n", size/7), "100 faults"},
		{"long key", "? " + strings.Repeat("k", size) + "\n: x", "unknown key"},
		{"long value", "log: {level: " + strings.Repeat("v", size) + "}", "is not a log level"},
		{"long anchor", "log: *" + strings.Repeat("v", size), "is not marked"},
		{"deep lists", fill("["), ""},
		{"deep mappings", fill("{a: "), ""},
		{"deep blocks", fill("- "), ""},
		{"deep keys", fill("? "), ""},
		{"anchors", fill("&a "), ""},
		{"tags", fill("!a "), ""},
		{"comments", fill("#\n"), ""},
		{"comments after keys", fill("a: # x\n"), ""},
		{"indented comments", fill("a:\n  # x\n"), ""},
		{"documents", fill("---\n"), ""},
		{"quotes", fill("'"), ""},
		{"line breaks in quotes", `"` + fill("\n"), ""},
		{"folded text", "a: >\n" + fill(" x\n\n"), ""},
		{"commas", "[" + fill("a,") + "]", ""},
		{"deep commas", strings.Repeat("[", 9000) + fill("a,"), ""},
		{"deep comments", strings.Repeat("- ", 5000) + "a\n" + fill("   #\n"), ""},
		{"pairs in a list", "[" + fill("a: b, ") + "]", ""},
		{"anchors of texts", "[" + fill("&a a,") + "]", ""},
		{"spaces", "a:" + fill(" ") + "b", ""},
		{"colons", fill(": "), ""},
		{"percents", fill("%a\n"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inputs := []input{{name: "x.yaml", text: []byte(tt.text)}}
			if strings.HasPrefix(tt.name, "bomb") || strings.HasPrefix(tt.name, "deep") {
				inputs = append(inputs, input{name: "x.d/a.yaml", text: inputs[0].text}, input{name: "x.d/b.yaml", text: inputs[0].text})
			}
			took, allocated, err := measure(inputs)
			t.Logf("%v of CPU, %d MiB allocated, %d errors", took, allocated>>20, strings.Count(fmt.Sprint(err), "\n")+1)
			if took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			if got := fmt.Sprint(err); !strings.Contains(got, tt.want) || len(got) > 50000 {
				t.Errorf("got %d bytes of error, want a short error with %q: %.500s", len(got), tt.want, got)
			}
		})
	}
}

// The limits of one file apply to all files together.
func TestLimitsApplyToAllFilesTogether(t *testing.T) {
	template := "x-a: &a {k: 1}\nx-b: &b [" + strings.Repeat("{<<: *a}, ", 700) + "]\nsinks: [{<<: *b, name: %s, stdout: {}}]\n"
	const expanded = "genltestd.d/c.yaml:2:4000: sinks[0].<<: aliases and merge keys expand to more than 10000 values; use fewer of them"
	texts := map[string]func(name string) string{
		expanded: func(name string) string {
			return fmt.Sprintf(template, name)
		},
		"genltestd.yaml: 100 faults; any more are not shown": func(string) string { return "sinks: [{" + unknownKeys(40, ", ") + "}]" },
	}
	for want, text := range texts {
		inputs := []input{{name: "genltestd.yaml", text: []byte(text("main"))}}
		for _, name := range []string{"a", "b", "c", "d"} {
			inputs = append(inputs, input{name: "genltestd.d/" + name + ".yaml", text: []byte(text(name))})
		}
		_, err := parse(inputs, sinks.Kinds())
		lines := strings.Split(fmt.Sprint(err), "\n")
		if got := lines[len(lines)-1]; got != want || len(lines) > maxErrors+1 {
			t.Errorf("%d lines, the last %s\nwant %s", len(lines), got, want)
		}
	}
}

// nestedLists returns lists that each contain the previous list nine times.
func nestedLists(key string) string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := range 9 {
		fmt.Fprintf(&b, "a%d: &a%[1]d [%s]\n", i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9))
	}
	return b.String() + key + ": *a9\n"
}

// nestedMerges returns mappings that each merge the previous mapping nine times.
func nestedMerges(own string) string {
	var b strings.Builder
	b.WriteString("x-m0: &m0 {name: x}\n")
	for i := range 9 {
		fmt.Fprintf(&b, "x-m%d: &m%[1]d {%s<<: [%s]}\n", i+1, own, strings.Repeat(fmt.Sprintf("*m%d, ", i), 9))
	}
	return b.String()
}

func manySinks(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{<<: *a, name: s%d}, ", i)
	}
	return b.String()
}

func cpuTime() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func unknownKeys(n int, end string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "x%d: 1%s", i, end)
	}
	return b.String()
}

// measure returns CPU time: other programs do not change it.
func measure(inputs []input) (took time.Duration, allocated uint64, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpuTime()
	_, err = parse(inputs, sinks.Kinds())
	took = cpuTime() - start
	runtime.ReadMemStats(&after)
	if errs := Errors(nil); err != nil && !errors.As(err, &errs) {
		err = fmt.Errorf("not Errors: %w", err)
	}
	return took, after.TotalAlloc - before.TotalAlloc, err
}
