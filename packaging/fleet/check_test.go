// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"slices"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/packaging/fleet/hosts"
	"github.com/genltestd/genltestd/packaging/natscluster"
	"github.com/genltestd/genltestd/packaging/simhost"
)

// A result is the comparison of the stream with the journals of all hosts.
type result struct{ stored, lost, doubled, disordered, unknown int }

// check compares the stream with the journals of all hosts.
func (f *fleet) check() {
	f.Helper()
	var journals [][]string
	for i, c := range f.counters() {
		for _, h := range c.Hosts {
			if h.Lost > 0 {
				f.Errorf("%s has lost %d events", h.Name, h.Lost)
			}
			ids, err := simhost.IDs(hosts.Dir(f.dirs[i], h.Name))
			if err != nil {
				f.Fatal(err)
			}
			journals = append(journals, ids)
		}
	}
	r := compare(journals, natscluster.IDs(f, f.cluster.JS))
	line("size in the stream", "%.0f bytes per event, in each copy", natscluster.BytesPerMessage(f, f.cluster.JS))
	line("stored", "%d: lost %d, doubled %d, out of order %d", r.stored, r.lost, r.doubled, r.disordered)
	want := f.size.processes * f.size.hosts * (f.size.before + f.size.outage)
	if r != (result{stored: want}) {
		f.Errorf("%+v, want %d events exactly once and in order", r, want)
	}
}

// compare compares the ids in the stream with those of each journal.
func compare(journals [][]string, stored []string) result {
	r := result{stored: len(stored)}
	byJournal := make(map[string][]string)
	for _, id := range stored {
		byJournal[journalOf(id)] = append(byJournal[journalOf(id)], id)
	}
	for _, want := range journals {
		if len(want) == 0 {
			continue
		}
		got := byJournal[journalOf(want[0])]
		delete(byJournal, journalOf(want[0]))
		r.compare(want, got)
	}
	for _, ids := range byJournal {
		r.unknown += len(ids)
	}
	return r
}

func journalOf(id string) string {
	journal, _, _ := strings.Cut(id, "-")
	return journal
}

// compare compares the ids of one journal.
func (r *result) compare(want, got []string) {
	position := make(map[string]int, len(want))
	for i, id := range want {
		position[id] = i
	}
	seen, last := make([]bool, len(want)), -1
	for _, id := range got {
		i, known := position[id]
		switch {
		case !known:
			r.unknown++
			continue
		case seen[i]:
			r.doubled++
		case i < last:
			r.disordered++
		}
		seen[i], last = true, max(last, i)
	}
	r.lost += len(slices.DeleteFunc(seen, func(arrived bool) bool { return arrived }))
}

func TestOracleOfTheFleet(t *testing.T) {
	journals := [][]string{{"a-1", "a-2", "a-3"}, {"b-1", "b-2"}, nil}
	for stored, want := range map[string]result{
		"a-1 b-1 a-2 b-2 a-3":     {stored: 5},
		"b-1 b-2 a-1 a-2":         {stored: 4, lost: 1},
		"a-1 a-2 a-1 a-3 b-1 b-2": {stored: 6, doubled: 1},
		"a-2 a-1 a-3 b-1 b-2":     {stored: 5, disordered: 1},
		"a-1 a-2 a-3 b-1 b-2 c-1": {stored: 6, unknown: 1},
		"a-1 a-2 a-3 a-9 b-1 b-2": {stored: 6, unknown: 1},
		"":                        {lost: 5},
	} {
		if got := compare(journals, strings.Fields(stored)); got != want {
			t.Errorf("%q: %+v, want %+v", stored, got, want)
		}
	}
}
