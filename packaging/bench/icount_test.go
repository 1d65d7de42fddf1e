// SPDX-License-Identifier: Apache-2.0

//go:build kernel

package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestInstructions runs in a VM that counts instructions instead of time: CPU time in
// ns is the number of instructions of the program, including the kernel's for it. Other
// load on the machine does not change it.
func TestInstructions(t *testing.T) {
	programs := os.Getenv("GENLTEST_BENCH")
	if programs == "" {
		t.Skip("needs a VM that counts instructions: make bench-icount")
	}
	limits := readLimits(t)
	b := bench{programs: programs, journals: t.TempDir()}
	for _, text := range []int{small, large} {
		s := scenario{load: load{name: "queued", events: 50_000, text: text, queued: true}, programs: all}
		var results []result
		for round := range 3 {
			if err := b.round(s, round, &results); err != nil {
				t.Fatal(err)
			}
		}
		for i, p := range s.programs {
			cpu, ratio := results[i].cpu(), results[i].ratio(results[0]).median
			t.Logf("%3d bytes  %-28s %5.0f instructions an event (%.0f to %.0f)  %.3f x %s",
				text, p.name, cpu.median, cpu.min, cpu.max, ratio, s.programs[0].name)
			if limit, ok := limits[p.name]; ok && ratio > limit {
				t.Errorf("%s, %d bytes: %.3f times the instructions of %s, the limit is %.2f", p.name, text, ratio, s.programs[0].name, limit)
			}
			if results[i].lost() > 0 {
				t.Errorf("%s, %d bytes: %d events lost", p.name, text, results[i].lost())
			}
		}
	}
}

// readLimits reads lines that contain a ratio and a program's name.
func readLimits(t *testing.T) map[string]float64 {
	t.Helper()
	f, err := os.Open("testdata/limits")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	limits := map[string]float64{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		ratio, name, _ := strings.Cut(line, " ")
		var limit float64
		if _, err := fmt.Sscan(ratio, &limit); err != nil {
			t.Fatalf("testdata/limits: %q: %v", line, err)
		}
		limits[name] = limit
	}
	for _, p := range []program{receiveOnly, intoJournal} {
		if limits[p.name] == 0 {
			t.Fatalf("testdata/limits: no limit for %q", p.name)
		}
	}
	return limits
}
