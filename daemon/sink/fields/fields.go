// SPDX-License-Identifier: Apache-2.0

// Package fields names the parts of an event for the sinks whose other side takes
// names and values: fields of the systemd journal, environment variables.
package fields

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

const (
	prefix = "GENLTEST_"
	// maxName is what journald takes; environments have no limit.
	maxName = 64
)

// Each calls set for every part that the event has, but for its text. The names
// are those of the JSON envelope in capitals behind GENLTEST_, and
// GENLTEST_LABEL_NAME and GENLTEST_CAPTURE_NAME. A value must not be kept; the
// one of a capture has any bytes but NUL.
func Each(e *event.Event, set func(name string, value []byte)) {
	w := writer{set: set}
	w.value(prefix+"ID", e.AppendID(w.buf[:0]))
	w.number(prefix+"SEQ", e.Seq)
	w.text(prefix+"KIND", e.Kind())
	w.time(prefix+"TIME", e.Time)
	w.time(prefix+"KERNEL_TIME", e.KernelTime)
	w.number(prefix+"KERNEL_SEQ", e.KernelSeq)
	w.loadID(prefix+"LOAD_ID", e.LoadID)
	w.text(prefix+"HOST", e.Host)
	w.text(prefix+"FAMILY", e.Family)
	w.text(prefix+"GROUP", e.Group)
	w.origin(e.Origin)
	for _, c := range e.Captures {
		w.value(name(prefix+"CAPTURE_", c.Name), c.Value)
	}
	switch {
	case e.Gap != nil:
		w.gap(e.Gap)
	case e.Suppressed != nil:
		w.suppressed(e.Suppressed)
	}
}

// A writer leaves out what an event does not have.
type writer struct {
	set func(name string, value []byte)
	buf [64]byte
}

func (w *writer) origin(o *event.Origin) {
	if o == nil {
		return
	}
	w.text(prefix+"MACHINE_ID", o.MachineID)
	w.text(prefix+"BOOT_ID", o.BootID)
	w.text(prefix+"KERNEL_RELEASE", o.KernelRelease)
	for _, l := range o.Labels {
		w.value(name(prefix+"LABEL_", l.Name), []byte(l.Value))
	}
}

func (w *writer) gap(g *event.Gap) {
	w.number(prefix+"GAP_COUNT", g.Count)
	w.text(prefix+"GAP_REASON", g.Reason)
	w.time(prefix+"GAP_FROM", g.From)
	w.time(prefix+"GAP_TO", g.To)
	w.number(prefix+"GAP_FIRST_KERNEL_SEQ", g.First)
	w.number(prefix+"GAP_LAST_KERNEL_SEQ", g.Last)
	w.loadID(prefix+"GAP_LOAD_ID", g.LoadID)
}

func (w *writer) suppressed(s *event.Suppressed) {
	w.number(prefix+"SUPPRESSED_COUNT", s.Count)
	w.text(prefix+"SUPPRESSED_REASON", s.Reason)
	w.time(prefix+"SUPPRESSED_FROM", s.From)
	w.time(prefix+"SUPPRESSED_TO", s.To)
}

func (w *writer) value(name string, value []byte) { w.set(name, value) }

func (w *writer) text(name, value string) {
	if value != "" {
		w.value(name, append(w.buf[:0], value...))
	}
}

func (w *writer) number(name string, v uint64) {
	if v != 0 {
		w.value(name, strconv.AppendUint(w.buf[:0], v, 10))
	}
}

func (w *writer) loadID(name string, v uint64) {
	if v != 0 {
		w.value(name, fmt.Appendf(w.buf[:0], "%016x", v))
	}
}

func (w *writer) time(name string, t time.Time) {
	if !t.IsZero() {
		w.value(name, t.UTC().AppendFormat(w.buf[:0], "2006-01-02T15:04:05.000000000Z07:00"))
	}
}

// name makes a name of ASCII capitals, digits and "_" of any text.
func name(kind, text string) string {
	s := kind + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, text)
	return s[:min(len(s), maxName)]
}
