// SPDX-License-Identifier: Apache-2.0

package event

import "testing"

func TestKeysAreEqualIfTheIDsAre(t *testing.T) {
	events := []Event{
		{JournalID: "a", Seq: 1},
		{JournalID: "a", Seq: 1, Host: "x", Message: []byte("the same event")},
		{JournalID: "a", Seq: 2},
		{JournalID: "b", Seq: 1},
		{JournalID: "a", Seq: 1, Suppressed: &Suppressed{Reason: "sample"}},
		{JournalID: "a", Seq: 1, Suppressed: &Suppressed{Reason: "sample", Count: 7}},
		{JournalID: "a", Seq: 1, Suppressed: &Suppressed{Reason: "rate"}},
		{JournalID: "a", Seq: 2, Suppressed: &Suppressed{Reason: "rate"}},
		{JournalID: "a", Test: &Test{Sink: "hook", Number: 1}},
		{JournalID: "a", Test: &Test{Sink: "hook", Number: 2}},
		{JournalID: "b", Test: &Test{Sink: "hook", Number: 2}},
		{JournalID: "a", Seq: 1, Gap: &Gap{Reason: "rate"}},
	}
	for i := range events {
		for j := range events {
			a, b := &events[i], &events[j]
			if got, want := a.Key() == b.Key(), a.ID() == b.ID(); got != want {
				t.Errorf("keys of %s and %s are equal: %v, want %v", a.ID(), b.ID(), got, want)
			}
		}
	}
}

func TestKeyAllocatesNothing(t *testing.T) {
	e := Event{JournalID: "a", Seq: 1, Suppressed: &Suppressed{Reason: "rate"}}
	seen := map[Key]bool{e.Key(): true}
	if n := testing.AllocsPerRun(100, func() {
		if !seen[e.Key()] {
			t.Error("another key")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
