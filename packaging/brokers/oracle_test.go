// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/packaging/simhost"
)

// check compares the stored events with the journal.
func (s *session) check(interruptions int) {
	s.Helper()
	want, err := simhost.IDs(s.dir)
	if err != nil {
		s.Fatal(err)
	}
	if len(want) != s.load.events {
		s.Errorf("the journal has %d events, want %d", len(want), s.load.events)
	}
	got := s.broker.stored(s.T)
	doubled, err := compare(want, got)
	if err != nil {
		s.Error(err)
	}
	if most := s.kind.window * interruptions; doubled > most {
		s.Errorf("%d events arrived twice, at most %d in each of %d interruptions expected", doubled, s.kind.window, interruptions)
	}
	s.Logf("%d events, %d arrived twice", len(want), doubled)
}

// compare returns how many events arrived more than once. The error reports lost and unknown
// events, and those whose first arrival is out of order.
func compare(want, got []string) (doubled int, err error) {
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
	if lost := len(want) - count(seen); lost > 0 {
		faults = append(faults, fmt.Errorf("%d of %d events are lost, the first is %s", lost, len(want), want[slices.Index(seen, false)]))
	}
	return doubled, errors.Join(faults[:min(len(faults), 10)]...)
}

func count(list []bool) (n int) {
	for _, b := range list {
		if b {
			n++
		}
	}
	return n
}

func TestOracle(t *testing.T) {
	for arrivals, want := range map[string]string{
		"a b c d":         "0",
		"a a b c b d":     "2",
		"a b d":           "0 1 of 4 events are lost, the first is c",
		"a c b d":         "0 b arrived after c",
		"a b c d x":       `0 arrival 4, "x", is not in the journal`,
		"":                "0 4 of 4 events are lost, the first is a",
		"d c b a a b c d": "4 c arrived after d b arrived after d a arrived after d",
	} {
		doubled, err := compare([]string{"a", "b", "c", "d"}, strings.Fields(arrivals))
		got := fmt.Sprint(doubled)
		if err != nil {
			got += " " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		if got != want {
			t.Errorf("%q: %s, want %s", arrivals, got, want)
		}
	}
}
