// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/metrics"
)

// A view is what the status page shows: states and counters, but no event.
type view struct {
	Healthy  bool      `json:"healthy"`
	Headline string    `json:"headline"`
	Problems []problem `json:"problems"`
	Notes    []problem `json:"notes"` // what is not a fault
	At       string    `json:"at"`    // the time of this state
	About    string    `json:"about"`
	Tables   []table   `json:"tables"`
	Time     float64   `json:"time"` // At, in seconds
	// Of these the page draws charts.
	Received uint64             `json:"received"`
	Lost     uint64             `json:"lost"`
	Behind   map[string]float64 `json:"behind_seconds"` // by sink
}

// A problem is a sentence in two parts.
type problem struct {
	What string `json:"what"` // does not change as long as the fault lasts, so that it is announced once
	Why  string `json:"why"`  // contains text from other hosts
}

// A table has a heading for each column. The first cell of a row is its name.
type table struct {
	Name    string     `json:"name"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

func viewOf(s *api.Status) *view {
	v := &view{
		Healthy: s.Healthy, Time: float64(s.Time.UnixMilli()) / 1000, At: instant(s.Time),
		Behind: make(map[string]float64), Problems: problems(s), Notes: notes(s),
		About: fmt.Sprintf("Version %s, process %d, started %s, configuration %.8s", s.Version, s.PID, instant(s.Started), s.Config.Hash),
	}
	v.Headline = "Events are received and delivered"
	if n := len(v.Problems); n == 1 {
		v.Headline = "1 fault"
	} else if n > 1 || !s.Healthy {
		v.Headline = fmt.Sprintf("%d faults", n)
	}
	for i := range s.Families {
		v.Received += s.Families[i].Received
		v.Lost += sum(s.Families[i].Lost)
	}
	for i := range s.Sinks {
		v.Behind[s.Sinks[i].Name] = s.Sinks[i].BehindS
	}
	v.Tables = []table{sinkTable(s.Sinks), familyTable(s.Families), journalTable(&s.Journal)}
	return v
}

// problems returns a sentence for each fault.
func problems(s *api.Status) []problem {
	list := []problem{} // not null in JSON
	sinks := make(map[string]*api.Sink)
	for i := range s.Sinks {
		sinks[s.Sinks[i].Name] = &s.Sinks[i]
	}
	for i := range s.Parts {
		kind, name, _ := strings.Cut(s.Parts[i].Name, "/")
		for _, f := range s.Parts[i].Faults {
			p := problem{What: sentence(kind, name, f.Reason), Why: f.Text}
			if sink := sinks[name]; kind == "delivery" && sink != nil {
				p.Why += fmt.Sprintf("; %s, %s behind", waiting(sink.Waiting+sink.InFlight), seconds(sink.BehindS))
			}
			list = append(list, p)
		}
		if !s.Parts[i].Alive {
			list = append(list, problem{s.Parts[i].Name + " makes no progress", "a restart of the daemon is needed"})
		}
	}
	return list
}

// notes returns a sentence for each note.
func notes(s *api.Status) []problem {
	list := []problem{} // not null in JSON
	for i := range s.Notes {
		n := problem{What: "Clock", Why: s.Notes[i].Text}
		if _, sink, ok := strings.Cut(s.Notes[i].Part, "/"); ok {
			n.What = "Events reach " + sink + " late"
		}
		if since := s.Notes[i].Since; since != nil {
			n.Why += ", at " + instant(*since)
		}
		list = append(list, n)
	}
	return list
}

// sentence returns the effect of a fault of a part.
func sentence(kind, name, reason string) string {
	switch kind {
	case "receiver":
		return "Events of " + name + " do not arrive"
	case "journal":
		if reason == metrics.FaultJournal { // other events are stored
			return "Events in the journal cannot be read"
		}
		return "The journal does not store events"
	case "delivery":
		return "Events do not reach " + name
	case "listener":
		return "The address of " + name + " is not served"
	case "config":
		return "The changed configuration is not in use"
	}
	return "A part of the daemon has a fault"
}

func sinkTable(sinks []api.Sink) table {
	t := table{Name: "Sinks", Columns: []string{
		"Sink", "Kind", "State", "Waiting", "Behind", "Delivered", "Dropped", "Dead letters", "Failed attempts",
	}}
	for i := range sinks {
		s := &sinks[i]
		t.Rows = append(t.Rows, []string{
			s.Name, s.Kind, s.State, count(s.Waiting + s.InFlight), seconds(s.BehindS), count(s.Delivered), reasons(s.Dropped),
			count(s.DeadLetters), count(s.Failures),
		})
	}
	return t
}

func familyTable(families []api.Family) table {
	t := table{Name: "Families", Columns: []string{"Family", "Subscribed", "Received", "Lost", "Refused", "Buffer", "Without subscription"}}
	for i := range families {
		f := &families[i]
		subscribed := "no"
		if f.Subscribed {
			subscribed = "yes"
		}
		t.Rows = append(t.Rows, []string{
			f.Name, subscribed, count(f.Received), reasons(f.Lost), count(f.Refused), size(int64(f.BufferBytes)), seconds(f.BlindSeconds),
		})
	}
	return t
}

func journalTable(j *api.Journal) table {
	accepting, oldest := "no", "none"
	if j.Accepting {
		accepting = "yes"
	}
	if j.Oldest != nil {
		oldest = instant(*j.Oldest)
	}
	return table{
		Name: "Journal", Columns: []string{"Stores events", "Size", "Limit", "Oldest event", "Newest number", "Safe up to", "fsync"},
		Rows: [][]string{{accepting, size(j.Bytes), size(j.MaxBytes), oldest, count(j.Last), count(j.Synced), j.Fsync}},
	}
}

func sum(counts map[string]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// reasons returns the sum of counters, and those that are not 0 in brackets.
func reasons(counts map[string]uint64) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		if counts[reason] > 0 {
			parts = append(parts, reason+" "+count(counts[reason]))
		}
	}
	if len(parts) == 0 {
		return "0"
	}
	return count(sum(counts)) + " (" + strings.Join(parts, ", ") + ")"
}

func waiting(events uint64) string {
	if events == 1 {
		return "1 event waits"
	}
	return count(events) + " events wait"
}

// count returns a number in groups of three digits.
func count(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func seconds(s float64) string {
	if s < 60 {
		return strconv.FormatFloat(s, 'f', 0, 64) + " s"
	}
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}

func size(bytes int64) string {
	value, unit := float64(bytes), 0
	for value >= 1024 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	return strconv.FormatFloat(value, 'f', min(unit, 1), 64) + " " + units[unit]
}

var units = [...]string{"B", "KiB", "MiB", "GiB", "TiB"}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
