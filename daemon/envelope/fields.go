// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"iter"
	"strconv"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

// fields are everything about an event but its text, its labels and its captures,
// in the order of its JSON. One is used for many events, for its memory.
type fields struct {
	values []byte // one after the other
	list   []field
}

type field struct {
	name string
	end  int // of the value in values
}

// all ranges over names and values, which are valid until the next set.
func (f *fields) all() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		begin := 0
		for _, field := range f.list {
			if !yield(field.name, f.values[begin:field.end]) {
				return
			}
			begin = field.end
		}
	}
}

func (f *fields) set(e *event.Event) {
	f.values, f.list = f.values[:0], f.list[:0]
	f.add("id", e.AppendID(f.values))
	f.number("seq", e.Seq)
	f.text("kind", e.Kind())
	f.time("time", e.Time)
	if !e.KernelTime.IsZero() {
		f.time("kernel_time", e.KernelTime)
	}
	f.known("kernel_seq", e.KernelSeq)
	f.loadID("load_id", e.LoadID)
	f.text("host", e.Host)
	f.text("family", e.Family)
	f.text("group", e.Group)
	f.origin(e.Origin)
	f.gap(e.Gap)
	f.suppressed(e.Suppressed)
}

func (f *fields) origin(o *event.Origin) {
	if o == nil {
		return
	}
	f.asked("machine_id", o.MachineID)
	f.asked("boot_id", o.BootID)
	f.asked("kernel_release", o.KernelRelease)
}

func (f *fields) gap(g *event.Gap) {
	if g == nil {
		return
	}
	f.number("gap_count", g.Count)
	f.text("gap_reason", g.Reason)
	f.time("gap_from", g.From)
	f.time("gap_to", g.To)
	f.known("gap_first_kernel_seq", g.First)
	f.known("gap_last_kernel_seq", g.Last)
	f.loadID("gap_load_id", g.LoadID)
}

func (f *fields) suppressed(s *event.Suppressed) {
	if s == nil {
		return
	}
	f.number("suppressed_count", s.Count)
	f.text("suppressed_reason", s.Reason)
	f.time("suppressed_from", s.From)
	f.time("suppressed_to", s.To)
}

// add takes values with the new one at its end.
func (f *fields) add(name string, values []byte) {
	f.values = values
	f.list = append(f.list, field{name, len(values)})
}

func (f *fields) text(name, value string) { f.add(name, append(f.values, value...)) }

func (f *fields) number(name string, v uint64) { f.add(name, strconv.AppendUint(f.values, v, 10)) }

func (f *fields) time(name string, t time.Time) { f.add(name, event.AppendTime(f.values, t)) }

func (f *fields) loadID(name string, id uint64) {
	if id != 0 {
		f.add(name, event.AppendLoadID(f.values, id))
	}
}

func (f *fields) known(name string, v uint64) {
	if v != 0 {
		f.number(name, v)
	}
}

func (f *fields) asked(name, value string) {
	if value != "" {
		f.text(name, value)
	}
}

// appendName appends a label's name with what formats give a meaning to replaced,
// and at most limit bytes of it. The configuration has such names only that stay
// as they are.
func appendName(dst []byte, name string, limit int) []byte {
	for i := range min(len(name), limit) {
		c := name[i]
		if !isWord(c) {
			c = '_'
		}
		dst = append(dst, c)
	}
	return dst
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}
