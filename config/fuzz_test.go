// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/genltestd/genltestd/daemon/sinks"
)

// Use -fuzzminimizetime 1s: by default go test spends up to a minute on shortening each
// interesting text, and shows no executions meanwhile. The reference is not a seed, because
// a mistake in a long text needs more time to diagnose.
func FuzzParse(f *testing.F) {
	for _, path := range append(configurations(f, "bad"), configurations(f, "good")...) {
		f.Add(readTestFile(f, path))
	}
	for _, text := range Examples(sinks.Kinds()) {
		f.Add(text)
	}
	f.Add([]byte(nestedLists("sinks")))
	f.Add([]byte(nestedMerges("") + "sinks: [{<<: *m9}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		watchdog := time.AfterFunc(20*time.Second, func() { panic("Parse hangs") })
		defer watchdog.Stop()
		c, err := Parse("fuzz.yaml", text, sinks.Kinds())
		if err != nil {
			checkErrors(t, err)
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("Parse accepts a configuration that Validate rejects: %v", err)
		}
		for _, s := range c.Sinks {
			if s.Config == nil {
				t.Errorf("sink %q has no kind", s.Name)
			}
		}
		if len(c.Sinks) <= 100 { // the output of more sinks may exceed the limit of a file
			checkPrint(t, c)
		}
	})
}

// A main file and two drop-ins.
func FuzzSeveralFiles(f *testing.F) {
	dirs, err := filepath.Glob("testdata/dirs/*/genltestd.d")
	if err != nil || len(dirs) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, dir := range dirs {
		var texts [3][]byte
		for i, in := range readInputs(strings.TrimSuffix(dir, ".d") + ".yaml") {
			texts[min(i, 2)] = in.text
		}
		f.Add(texts[0], texts[1], texts[2])
	}
	f.Fuzz(func(t *testing.T, main, a, b []byte) {
		watchdog := time.AfterFunc(20*time.Second, func() { panic("parse hangs") })
		defer watchdog.Stop()
		c, err := parse([]input{
			{name: "fuzz.yaml", text: main},
			{name: "fuzz.d/a.yaml", text: a},
			{name: "fuzz.d/b.yaml", text: b},
		}, sinks.Kinds())
		if err != nil {
			checkErrors(t, err)
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("parse accepts a configuration that Validate rejects: %v", err)
		}
		i := 0
		for _, file := range c.Files() {
			for range file.Sinks {
				if e := c.Fault(fmt.Sprintf("sinks[%d]", i), "odd"); e.File != file.Name {
					t.Errorf("sink %d of %s: %v", i, file.Name, e)
				}
				i++
			}
		}
		if i != len(c.Sinks) {
			t.Errorf("%d sinks, and %d in files", len(c.Sinks), i)
		}
	})
}

func checkErrors(t *testing.T, err error) {
	t.Helper()
	var errs Errors
	if !errors.As(err, &errs) || len(errs) > maxErrors+1 {
		t.Fatalf("got %T of %d, want Errors: %v", err, len(errs), err)
	}
	for _, e := range errs {
		text := e.Error()
		if !strings.HasPrefix(text, "fuzz.") || e.Message == "" {
			t.Errorf("no file or message: %s", text)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("not safe for a terminal: %q", text)
		}
		if len(text) > 1000 {
			t.Errorf("%d bytes: %s", len(text), text)
		}
	}
}
