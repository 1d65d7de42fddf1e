// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/packaging/simhost"
)

// check compares the stored events with the journal. An event that was dropped can have arrived.
func (s *session) check(interruptions, dropped int) {
	s.Helper()
	want, err := simhost.IDs(s.dir)
	if err != nil {
		s.Fatal(err)
	}
	if len(want) < s.load.events {
		s.Errorf("the journal has %d events, want %d", len(want), s.load.events)
	}
	doubled, lost, err := compare(want, s.broker.stored(s.T))
	if err != nil {
		s.Error(err)
	}
	if s.refuses {
		lost = s.checkRefused(want, lost)
	}
	if len(lost) > dropped {
		s.Errorf("%d of %d events are lost, and %d were dropped; the first is %s", len(lost), len(want), dropped, lost[0])
	}
	if most := s.kind.window * interruptions; doubled > most {
		s.Errorf("%d events arrived twice, at most %d in each of %d interruptions expected", doubled, s.kind.window, interruptions)
	}
	s.Logf("%d events, %d dropped, %d lost, %d arrived twice", len(want), dropped, len(lost), doubled)
}

// checkRefused checks that exactly the marked events did not arrive and are dead letters. It returns the
// other events that did not arrive.
func (s *session) checkRefused(ids, lost []string) (others []string) {
	s.Helper()
	var marked []string
	for i, id := range ids {
		if simhost.Marked(uint64(i) + 1) {
			marked = append(marked, id)
		}
	}
	for _, id := range lost {
		if !slices.Contains(marked, id) {
			others = append(others, id)
		}
	}
	if arrived := len(marked) - (len(lost) - len(others)); arrived > 0 {
		s.Errorf("%d of %d marked events have arrived", arrived, len(marked))
	}
	letters, err := simhost.DeadLetters(s.dir, "broker")
	if diff := cmp.Diff(marked, letters); err != nil || diff != "" {
		s.Errorf("dead letters: %v (-marked +stored):\n%s", err, diff)
	}
	s.Logf("%d events were refused", len(marked))
	return others
}

// compare returns how many events arrived more than once, and which never did. The error reports
// unknown events, and those whose first arrival is out of order.
func compare(want, got []string) (doubled int, lost []string, err error) {
	position := make(map[string]int, len(want))
	for i, id := range want {
		position[id] = i
	}
	seen, last := make([]bool, len(want)), -1
	var faults []error
	for n, id := range got {
		i, known := position[id]
		switch {
		case !known:
			faults = append(faults, fmt.Errorf("arrival %d, %q, is not in the journal", n, id))
		case seen[i]:
			doubled++
		case i < last:
			faults = append(faults, fmt.Errorf("%s arrived after %s", id, want[last]))
		}
		if known {
			seen[i], last = true, max(last, i)
		}
	}
	for i, id := range want {
		if !seen[i] {
			lost = append(lost, id)
		}
	}
	return doubled, lost, errors.Join(faults[:min(len(faults), 10)]...)
}

func TestOracle(t *testing.T) {
	for arrivals, want := range map[string]string{
		"a b c d":         "0",
		"a a b c b d":     "2",
		"a b d":           "0 [c]",
		"a c b d":         "0 b arrived after c",
		"a b c d x":       `0 arrival 4, "x", is not in the journal`,
		"":                "0 [a b c d]",
		"d c b a a b c d": "4 c arrived after d b arrived after d a arrived after d",
	} {
		doubled, lost, err := compare([]string{"a", "b", "c", "d"}, strings.Fields(arrivals))
		got := fmt.Sprint(doubled)
		if len(lost) > 0 {
			got += " " + fmt.Sprint(lost)
		}
		if err != nil {
			got += " " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		if got != want {
			t.Errorf("%q: %s, want %s", arrivals, got, want)
		}
	}
}
