// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"encoding/hex"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/genltestd/genltestd/daemon/event"
)

const (
	// namespace begins the names of events, and of attributes without a semantic convention.
	namespace = "genltestd."
	// recordUID is the attribute by which receivers may remove duplicates.
	recordUID = "log.record.uid"
)

// A severity is the first SeverityNumber of a range, with the name of the range.
type severity struct {
	number uint64
	text   string
}

// severityOf returns the severity of a word of the configuration.
func severityOf(word string) severity {
	switch word {
	case "trace":
		return severity{1, "TRACE"}
	case "debug":
		return severity{5, "DEBUG"}
	case "warn":
		return severity{13, "WARN"}
	case "error":
		return severity{17, "ERROR"}
	case "fatal":
		return severity{21, "FATAL"}
	}
	return severity{9, "INFO"}
}

// A recorder writes records. It keeps memory, so it is not safe for concurrent use.
type recorder struct {
	severity severity
	text     []byte
}

// append appends a record as the field of a ScopeLogs.
func (r *recorder) append(dst []byte, e *event.Event) []byte {
	dst, record := begin(dst, scopeLogsRecords)
	at := e.KernelTime
	if at.IsZero() {
		at = e.Time
	}
	dst = appendTime(dst, recordTime, at)
	dst = appendTime(dst, recordObservedTime, e.Time)
	s := r.severity
	if warn := severityOf("warn"); e.Gap != nil && s.number < warn.number {
		s = warn
	}
	dst = protowire.AppendVarint(protowire.AppendTag(dst, recordSeverity, protowire.VarintType), s.number)
	dst = appendText(dst, recordSeverityText, s.text)
	dst = r.appendBody(dst, e)
	dst = r.appendName(dst, e)
	dst = r.appendAttributes(dst, e)
	return end(dst, record)
}

// appendBody appends the text. The attribute with its exact bytes follows if it is not UTF-8.
func (r *recorder) appendBody(dst []byte, e *event.Event) []byte {
	r.text = e.AppendText(r.text[:0])
	dst, body := begin(dst, recordBody)
	dst = end(appendText(dst, valueString, r.text), body)
	if utf8.Valid(r.text) {
		return dst
	}
	return attributes(recordAttributes).exact(dst, namespace, "message", r.text)
}

// appendName appends the name of the event: genltestd.gap, genltestd.suppressed, genltestd.test, or
// genltestd.FAMILY and the command, if known. Dashes and the like become underscores.
func (r *recorder) appendName(dst []byte, e *event.Event) []byte {
	dst, name := begin(dst, recordEventName)
	dst = append(dst, namespace...)
	if kind := e.Kind(); kind != "event" {
		return end(append(dst, kind...), name)
	}
	dst = appendWord(dst, e.Family)
	if e.Content != nil && e.Content.Command != "" {
		dst = appendWord(append(dst, '.'), e.Content.Command)
	}
	return end(dst, name)
}

func appendWord(dst []byte, word string) []byte {
	for _, c := range []byte(word) {
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		default:
			c = '_'
		}
		dst = append(dst, c)
	}
	return dst
}

func (r *recorder) appendAttributes(dst []byte, e *event.Event) []byte {
	const in = attributes(recordAttributes)
	r.text = e.AppendID(r.text[:0])
	dst = in.exact(dst, "", recordUID, r.text)
	dst = in.uint(dst, namespace+"seq", e.Seq)
	dst = in.text(dst, namespace+"kind", e.Kind())
	dst = in.text(dst, namespace+"family", e.Family)
	dst = in.text(dst, namespace+"group", e.Group)
	dst = in.optionalUint(dst, namespace+"kernel_seq", e.KernelSeq)
	dst = r.appendLoadID(dst, namespace+"load_id", e.LoadID)
	dst = r.appendOrigin(dst, e.Origin)
	dst = r.appendContent(dst, e.Content)
	for _, c := range e.Captures {
		dst = in.exact(dst, namespace+"capture.", c.Name, c.Value)
	}
	if e.Test != nil {
		dst = in.text(dst, namespace+"test.sink", e.Test.Sink)
	}
	dst = r.appendGap(dst, e.Gap)
	return r.appendSuppressed(dst, e.Suppressed)
}

func (r *recorder) appendLoadID(dst []byte, name string, id uint64) []byte {
	if id == 0 {
		return dst
	}
	r.text = event.AppendLoadID(r.text[:0], id)
	return attributes(recordAttributes).exact(dst, "", name, r.text)
}

// appendOrigin appends those parts of the origin that are not attributes of the resource.
func (r *recorder) appendOrigin(dst []byte, o *event.Origin) []byte {
	const in = attributes(recordAttributes)
	if o == nil {
		return dst
	}
	dst = in.text(dst, namespace+"boot_id", o.BootID)
	dst = in.text(dst, namespace+"kernel_release", o.KernelRelease)
	for _, l := range o.Labels {
		r.text = append(r.text[:0], l.Value...)
		dst = in.exact(dst, namespace+"label.", l.Name, r.text)
	}
	return dst
}

func (r *recorder) appendContent(dst []byte, c *event.Content) []byte {
	const in = attributes(recordAttributes)
	if c == nil {
		return dst
	}
	dst = in.text(dst, namespace+"command", c.Command)
	dst = in.object(dst, namespace+"attributes", c.Attributes)
	if c.Error == "" {
		return dst
	}
	dst = in.text(dst, namespace+"error", c.Error)
	r.text = hex.AppendEncode(r.text[:0], c.Raw)
	return in.exact(dst, namespace, "raw", r.text)
}

func (r *recorder) appendGap(dst []byte, g *event.Gap) []byte {
	const in = attributes(recordAttributes)
	if g == nil {
		return dst
	}
	dst = in.uint(dst, namespace+"gap.count", g.Count)
	dst = in.text(dst, namespace+"gap.reason", g.Reason)
	dst = r.appendWhen(dst, namespace+"gap.from", g.From)
	dst = r.appendWhen(dst, namespace+"gap.to", g.To)
	dst = in.optionalUint(dst, namespace+"gap.first_kernel_seq", g.First)
	dst = in.optionalUint(dst, namespace+"gap.last_kernel_seq", g.Last)
	return r.appendLoadID(dst, namespace+"gap.load_id", g.LoadID)
}

func (r *recorder) appendSuppressed(dst []byte, s *event.Suppressed) []byte {
	const in = attributes(recordAttributes)
	if s == nil {
		return dst
	}
	dst = in.uint(dst, namespace+"suppressed.count", s.Count)
	dst = in.text(dst, namespace+"suppressed.reason", s.Reason)
	dst = r.appendWhen(dst, namespace+"suppressed.from", s.From)
	return r.appendWhen(dst, namespace+"suppressed.to", s.To)
}

// appendWhen appends a time as in the JSON envelope, unless it is not known.
func (r *recorder) appendWhen(dst []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	r.text = event.AppendTime(r.text[:0], t)
	return attributes(recordAttributes).exact(dst, "", name, r.text)
}
