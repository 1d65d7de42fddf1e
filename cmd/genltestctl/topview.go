// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// A topView is what top shows, and the choices of the operator.
type topView struct {
	interval time.Duration
	color    bool

	status  *api.Status // the last one; nil before the first
	load    *loadForm
	fault   string               // why the last update failed
	history map[string][]float64 // rates of each sink, the newest last

	sort   int // index of topOrders
	filter string
	typing bool // keys change the filter
	paused bool
}

const historyLimit = 60

// topOrders are the orders of the sinks, each with its comparison.
var topOrders = []struct {
	name    string
	compare func(a, b *sinkLoad) int
}{
	{"configuration", func(*sinkLoad, *sinkLoad) int { return 0 }},
	{"behind", func(a, b *sinkLoad) int { return cmp.Compare(b.Behind, a.Behind) }},
	{"waiting", func(a, b *sinkLoad) int { return cmp.Compare(b.Waiting, a.Waiting) }},
	{"rate", func(a, b *sinkLoad) int { return cmp.Compare(known(b.Rate), known(a.Rate)) }},
	{"latency", func(a, b *sinkLoad) int { return cmp.Compare(known(b.P99), known(a.P99)) }},
	{"failures", func(a, b *sinkLoad) int { return cmp.Compare(known(b.Failures), known(a.Failures)) }},
	{"name", func(a, b *sinkLoad) int { return strings.Compare(a.Name, b.Name) }},
}

func known(number *float64) float64 {
	if number == nil {
		return -1
	}
	return *number
}

// update applies an update, unless the view is paused. A failed one leaves the last status visible.
func (v *topView) update(u reading, explain func(error) string) {
	if v.paused {
		return
	}
	if u.err != nil {
		v.fault = explain(u.err)
		return
	}
	v.fault, v.load, v.status = "", loadOf(v.status, u.status), u.status
	history := map[string][]float64{} // without removed sinks
	for _, s := range v.load.Sinks {
		rates := v.history[s.Name]
		if s.Rate != nil {
			rates = append(rates, *s.Rate)
		}
		history[s.Name] = rates[max(0, len(rates)-historyLimit):]
	}
	v.history = history
}

// press applies a key. It returns true if the key ends the program.
func (v *topView) press(key byte) (end bool) {
	if v.typing {
		switch {
		case key == '\r' || key == '\n':
			v.typing = false
		case key == escape:
			v.typing, v.filter = false, ""
		case key == '\x7f' || key == '\b':
			v.filter = v.filter[:max(0, len(v.filter)-1)]
		case key >= ' ' && key < utf8.RuneSelf && len(v.filter) < 64:
			v.filter += string(rune(key))
		}
		return false
	}
	switch key {
	case 'q':
		return true
	case 's':
		v.sort = (v.sort + 1) % len(topOrders)
	case 'p', ' ':
		v.paused = !v.paused
	case '/':
		v.typing, v.filter = true, ""
	case escape:
		v.filter = ""
	}
	return false
}

// lines returns the screen. The last line describes the keys.
func (v *topView) lines(width, height int) []string {
	var text bytes.Buffer
	w := &writer{out: bufio.NewWriter(&text), width: width, color: v.color}
	v.head(w)
	if v.load != nil {
		families, sinks := v.familyTable(), v.sinkTable(width)
		fmt.Fprintln(w.out)
		w.print(&families)
		fmt.Fprintln(w.out)
		w.print(&sinks)
	}
	_ = w.out.Flush() // into memory
	lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
	room := max(0, height-1)
	if len(lines) > room && room > 0 {
		hidden := len(lines) - room + 1
		more := fmt.Sprintf("(%d lines more: enlarge the terminal, or filter with /)", hidden)
		lines = append(lines[:room-1], cut(fitting(width, more, fmt.Sprintf("(%d lines more: / filters)", hidden)), width))
	}
	for len(lines) < room {
		lines = append(lines, "")
	}
	return append(lines[:room], cut(v.help(width), width))
}

// fitting returns the first text that fits the width, or the last one.
func fitting(width int, texts ...string) string {
	for _, text := range texts[:len(texts)-1] {
		if utf8.RuneCountInString(text) <= width {
			return text
		}
	}
	return texts[len(texts)-1]
}

// head prints the health, the bottleneck and the drops.
func (v *topView) head(w *writer) {
	switch {
	case v.fault != "":
		w.line(bad, "× ", v.fault+"; the command connects again")
	case v.status == nil:
		w.line(plain, "", "waiting for the daemon")
		return
	case v.status.Healthy:
		w.line(good, "● ", "genltestd is healthy")
	default:
		w.line(bad, "× ", "genltestd is degraded; genltestctl status shows the faults")
	}
	if v.load == nil {
		return
	}
	st := statusText{w, v.status}
	w.line(plain, "bottleneck  ", v.load.Bottleneck.Text)
	w.line(plain, "dropped     ", v.dropsText())
	w.line(plain, "journal     ", st.journalSize())
}

// dropsText describes where events are dropped: now, or else since the counters began.
func (v *topView) dropsText() string {
	var now, before []string
	for _, d := range v.load.Drops {
		place := fmt.Sprintf("%s %s (%s)", d.Stage, d.Name, d.Reason)
		if d.Reason == "kernel_buffer" {
			place = "kernel buffer of " + d.Name
		}
		if d.Rate != nil && *d.Rate > 0 {
			now = append(now, fmt.Sprintf("%s %s/s", place, rateText(d.Rate)))
		} else {
			before = append(before, fmt.Sprintf("%s %d", place, d.Events))
		}
	}
	switch {
	case len(now) > 0:
		return "now by " + strings.Join(now, ", ")
	case len(before) > 0:
		return "nowhere now; earlier by " + strings.Join(before, ", ")
	}
	return "nowhere"
}

func (v *topView) familyTable() table {
	t := table{fold: true, columns: []column{
		{title: "FAMILY"},
		{title: "RECEIVED/S", right: true},
		{title: "LOST/S", right: true},
		{title: "LOST", right: true},
		{title: "BUFFER", right: true},
	}}
	for _, f := range v.load.Families {
		t.add(f.Name, rateText(f.Received), rateText(f.Lost), warnAbove0(f.LostAll), bytesText(int64(f.buffer)))
	}
	return t
}

func (v *topView) sinkTable(width int) table {
	t := table{fold: true, columns: []column{
		{title: "SINK"},
		{title: "STATE"},
		{title: "EVENTS/S", right: true},
		{title: "P50", right: true},
		{title: "P99", right: true},
		{title: "WAITING", right: true},
		{title: "BEHIND", right: true},
		{title: "FAIL/S", right: true},
	}}
	var shown []sinkLoad
	for _, s := range v.load.Sinks {
		if strings.Contains(s.Name, v.filter) {
			shown = append(shown, s)
		}
	}
	order := topOrders[v.sort].compare
	slices.SortStableFunc(shown, func(a, b sinkLoad) int { return order(&a, &b) })
	for _, s := range shown {
		t.add(s.Name, styled{stateStyle(s.State), s.State}, rateText(s.Rate), latencyText(s.P50), latencyText(s.P99), s.Waiting,
			secondsText(s.Behind), rateText(s.Failures))
	}
	if room := width - span(t.fit(true)) - 2; room >= 5 {
		t.columns = append(t.columns, column{title: "TREND"})
		for i := range t.rows {
			t.rows[i].cells = append(t.rows[i].cells, styled{text: sparkline(v.history[shown[i].Name], min(room, historyLimit))})
		}
	}
	return t
}

func (v *topView) help(width int) string {
	if v.typing {
		typed := "filter: " + v.filter + "_"
		return fitting(width, typed+"   Enter: apply   Esc: show all sinks", typed+"  Enter, Esc: all", typed)
	}
	state, order := "", topOrders[v.sort].name
	if v.filter != "" {
		state = fmt.Sprintf("filter %q (Esc: all)  ", v.filter)
	}
	if v.paused {
		state = "PAUSED  " + state
	}
	return fitting(width, fmt.Sprintf("%sq quit  s sort (%s)  / filter  p pause  every %s", state, order, v.interval),
		fmt.Sprintf("%sq quit  s sort  / filter  p pause", state), state+"q s / p")
}

// sparkline draws the newest rates, one character each, relative to the largest one.
func sparkline(rates []float64, width int) string {
	rates = rates[max(0, len(rates)-width):]
	if len(rates) == 0 {
		return ""
	}
	largest := max(slices.Max(rates), 1e-9)
	var line strings.Builder
	for _, rate := range rates {
		line.WriteRune([]rune("▁▂▃▄▅▆▇█")[int(rate/largest*7+0.5)])
	}
	return line.String()
}
