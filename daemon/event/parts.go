// SPDX-License-Identifier: Apache-2.0

package event

import (
	"iter"
	"strconv"
	"time"
)

// Parts returns an event as names and values, for formats without nested objects. It
// has the same fields as the event's JSON, in the same order, without text and labels.
// Fields of the objects gap, suppressed and test have the prefix gap_, suppressed_ or test_, those
// of the attributes AttributePrefix. One Parts is used for many events, to reuse its memory;
// it is not safe for concurrent use.
type Parts struct {
	values []byte // concatenated
	list   []part
	flat   flatNames
}

type part struct {
	name string
	end  int // of the value, in values
}

// Of returns the names and values of e, which are valid until the next call. Optional
// fields that are absent are omitted; other fields are empty if the value is not known.
func (p *Parts) Of(e *Event) iter.Seq2[string, []byte] {
	p.set(e)
	return func(yield func(string, []byte) bool) {
		begin := 0
		for _, part := range p.list {
			if !yield(part.name, p.values[begin:part.end]) {
				return
			}
			begin = part.end
		}
	}
}

func (p *Parts) set(e *Event) {
	p.values, p.list = p.values[:0], p.list[:0]
	p.add("id", e.AppendID(p.values))
	p.number("seq", e.Seq)
	p.text("kind", e.Kind())
	p.time("time", e.Time)
	if !e.KernelTime.IsZero() {
		p.time("kernel_time", e.KernelTime)
	}
	p.optionalNumber("kernel_seq", e.KernelSeq)
	p.loadID("load_id", e.LoadID)
	p.text("host", e.Host)
	p.text("family", e.Family)
	p.text("group", e.Group)
	p.origin(e.Origin)
	p.gap(e.Gap)
	p.suppressed(e.Suppressed)
	if e.Test != nil {
		p.text("test_sink", e.Test.Sink)
	}
	p.content(e.Content)
}

func (p *Parts) content(c *Content) {
	if c == nil {
		return
	}
	p.text("command", c.Command)
	p.flat.begin()
	for w := walk(c.Attributes); w.next(); {
		p.add(p.flat.of(&w, ""), w.value.AppendText(p.values))
		if !w.value.isUTF8() {
			p.add(p.flat.of(&w, Base64Suffix), w.value.appendBase64Text(p.values))
		}
	}
	if c.Error != "" {
		p.text("error", c.Error)
		p.add("raw", Hex.append(p.values, c.Raw))
	}
}

func (p *Parts) origin(o *Origin) {
	if o == nil {
		return
	}
	p.optionalText("machine_id", o.MachineID)
	p.optionalText("boot_id", o.BootID)
	p.optionalText("kernel_release", o.KernelRelease)
}

func (p *Parts) gap(g *Gap) {
	if g == nil {
		return
	}
	p.number("gap_count", g.Count)
	p.text("gap_reason", g.Reason)
	p.time("gap_from", g.From)
	p.time("gap_to", g.To)
	p.optionalNumber("gap_first_kernel_seq", g.First)
	p.optionalNumber("gap_last_kernel_seq", g.Last)
	p.loadID("gap_load_id", g.LoadID)
}

func (p *Parts) suppressed(s *Suppressed) {
	if s == nil {
		return
	}
	p.number("suppressed_count", s.Count)
	p.text("suppressed_reason", s.Reason)
	p.time("suppressed_from", s.From)
	p.time("suppressed_to", s.To)
}

// add appends a part whose value is the end of values.
func (p *Parts) add(name string, values []byte) {
	p.values = values
	p.list = append(p.list, part{name, len(values)})
}

func (p *Parts) text(name, value string) { p.add(name, append(p.values, value...)) }

func (p *Parts) number(name string, v uint64) { p.add(name, strconv.AppendUint(p.values, v, 10)) }

func (p *Parts) time(name string, t time.Time) {
	if t.IsZero() {
		p.text(name, "")
	} else {
		p.add(name, AppendTime(p.values, t))
	}
}

func (p *Parts) loadID(name string, id uint64) {
	if id != 0 {
		p.add(name, AppendLoadID(p.values, id))
	}
}

func (p *Parts) optionalNumber(name string, v uint64) {
	if v != 0 {
		p.number(name, v)
	}
}

func (p *Parts) optionalText(name, value string) {
	if value != "" {
		p.text(name, value)
	}
}
