// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/clock"
	"github.com/genltestd/genltestd/daemon/journal"
)

func TestCursorOfRemovedSinkIsKept(t *testing.T) {
	r := newFixture(t)
	now, passed := time.Now(), time.Duration(0)
	r.clocks = func() clock.Reading {
		// The age does not depend on the wall clock, which is stepped by years.
		wall := now.Add(time.Duration(int(passed/time.Hour)%5-2) * 24 * 365 * time.Hour)
		return clock.Reading{Wall: wall, Uptime: passed}
	}
	reader, err := r.journal.NewReader("removed", journal.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	letters := filepath.Join(r.dir, "deadletters", "removed")
	if err := os.MkdirAll(letters, 0o700); err != nil {
		t.Fatal(err)
	}
	// check runs a start after the time at, with the sink "kept" and others.
	check := func(at time.Duration, others ...string) {
		t.Helper()
		cfg := configured(append(others, "kept")...)
		cfg.Journal.KeepRemovedSinks = value.Duration(24 * time.Hour)
		passed = at
		s := r.open(t, cfg)
		if err := s.forgetExpired(); err != nil {
			t.Fatal(err)
		}
		for _, p := range s.All() {
			if err := p.close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := func(want bool) {
		t.Helper()
		if got := slices.Contains(r.journal.Cursors(), "removed"); got != want {
			t.Errorf("after %v the cursor exists: %v", passed, got)
		}
		if _, err := os.Stat(letters); (err == nil) != want {
			t.Errorf("after %v, the dead letters: %v", passed, err)
		}
		if !slices.Contains(r.journal.Cursors(), "kept") {
			t.Error("a configured sink was removed")
		}
	}
	check(0)
	want(true)
	check(23 * time.Hour)
	want(true)
	// The sink is configured again and removed again: its time restarts.
	check(23*time.Hour, "removed")
	check(25 * time.Hour)
	want(true)
	// After damage the time restarts, and the cursor is not removed too early.
	if err := os.WriteFile(filepath.Join(r.dir, RemovedFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	check(40 * time.Hour)
	want(true)
	check(63 * time.Hour)
	want(true)
	check(64 * time.Hour)
	want(false)
}
