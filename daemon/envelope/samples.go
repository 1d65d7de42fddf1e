// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

// Context is the part of the configuration that determines the fields of a sink's
// events.
type Context struct {
	Labels                           []event.Label
	Captures                         []string // names of the groups of the sink's extract
	MachineID, BootID, KernelRelease bool

	// UnknownAttribute returns why no event has the attribute at a path. It returns "" if
	// events can contain the attribute. It is nil if no event has attributes.
	UnknownAttribute func(path []string) string
}

// A sample is an event that a sink may receive.
type sample struct {
	name  string
	event event.Event
	older bool // received before the labels were configured
}

// isOrdinary reports whether a sample is neither a gap nor a summary.
func (s *sample) isOrdinary() bool { return s.event.Gap == nil && s.event.Suppressed == nil }

const (
	hostile   = `"}]{'<&` + "`$(x)%s{{.}}\\"
	maxSample = 4124 // bytes of the longest text of the kernel module
)

// samples returns events of every kind, with every kind of text.
func (c *Context) samples() (list []sample) {
	for _, text := range []struct{ name, text string }{
		{"an event", "disk sda failed"},
		{"an event with an empty text", ""},
		{"an event with quotes, braces and backslashes in its text", hostile},
		{"an event with several lines", "one\ntwo\r\n\tthree\n"},
		{"an event with control characters in its text", "\x01\x1b[2J\x7f\u009b\u202e\u2028\ufeff"},
		{"an event whose text is not UTF-8", "\xff\xfe\x80"},
		{"an event with a text of 4,124 bytes", strings.Repeat("x", maxSample)},
		{"an event with 4,124 quotes", strings.Repeat(`"`, maxSample)},
		{"an event with 4,124 control characters", strings.Repeat("\x01", maxSample)},
	} {
		list = append(list, sample{name: text.name, event: c.event(text.text)})
	}
	return append(list, c.withoutParts()...)
}

// withAttributes returns events of another family that have all attributes in paths.
func (c *Context) withAttributes(paths []string) []sample {
	if c.UnknownAttribute == nil {
		return nil
	}
	whole := c.withoutParts()[0].event
	whole.Family, whole.Group, whole.Message = "ethtool", "monitor", nil
	whole.Content = &event.Content{Command: "features-ntf", Attributes: attributesAt(paths, hostile+"\x01")}
	broken := whole
	broken.Content = &event.Content{Error: "the message is too short", Raw: []byte{1}}
	return []sample{
		{name: "an event with quotes, braces and backslashes in its attributes", event: whole},
		{name: "an event whose message could not be decoded", event: broken},
	}
}

// withoutParts returns events that lack optional fields.
func (c *Context) withoutParts() []sample {
	bare := c.event("disk sda failed")
	bare.KernelTime, bare.KernelSeq, bare.LoadID, bare.Captures = time.Time{}, 0, 0, c.captures("")
	short := c.event("disk sda failed")
	short.Host = "h"
	older := bare
	older.Origin = nil
	gap := bare
	gap.Message = nil
	gap.Gap = &event.Gap{Count: 17, Reason: "kernel_buffer", From: gap.Time, To: gap.Time, LoadID: 1, First: 8, Last: 31}
	unknown := gap
	unknown.Gap = &event.Gap{Count: 1, Reason: "not_subscribed", From: gap.Time, To: gap.Time}
	summary := bare
	summary.Message = nil
	summary.Suppressed = &event.Suppressed{Count: 3, Reason: "rate_limit", From: bare.Time, To: bare.Time}
	return []sample{
		{name: "an event without a number, a time and captures", event: bare},
		{name: "an event of a host with a short name", event: short},
		{name: "an event received before event: was configured", event: older, older: true},
		{name: "a gap", event: gap},
		{name: "a gap without kernel numbers", event: unknown},
		{name: "a summary of suppressed events", event: summary},
	}
}

func (c *Context) event(text string) event.Event {
	received := time.Date(2026, 1, 2, 3, 4, 5, 228148939, time.UTC)
	origin := &event.Origin{Labels: c.Labels}
	if c.MachineID {
		origin.MachineID = "b08dfa6083e7567a1921a715000001fb"
	}
	if c.BootID {
		origin.BootID = "c1f0fdd2a9f54ffcbd33c49f0a2c1f9b"
	}
	if c.KernelRelease {
		origin.KernelRelease = "6.1.0-50-amd64"
	}
	return event.Event{
		JournalID: "6a9155caa46c7dcc", Seq: 7, Time: received,
		KernelTime: received.Add(-time.Millisecond), KernelSeq: 41, LoadID: 0x1e1b58c6a77ddc69,
		Host: "web-1", Family: "genltest", Group: "mcgrp", Message: []byte(text),
		Origin: origin, Captures: c.captures(text),
	}
}

func (c *Context) captures(text string) (list []event.Capture) {
	for _, name := range c.Captures {
		list = append(list, event.Capture{Name: name, Value: []byte(text)})
	}
	return list
}

// attributesAt returns an object with a text at each path.
func attributesAt(paths []string, text string) event.Object {
	var b event.ObjectBuilder
	b.Reset()
	addAttributes(&b, paths, text)
	return b.Object()
}

func addAttributes(b *event.ObjectBuilder, paths []string, text string) {
	inner := make(map[string][]string)
	for _, path := range paths {
		name, rest, _ := strings.Cut(path, ".")
		inner[name] = append(inner[name], rest)
	}
	for _, name := range slices.Sorted(maps.Keys(inner)) {
		rest := slices.DeleteFunc(inner[name], func(path string) bool { return path == "" })
		if len(rest) == 0 {
			b.Text(name, []byte(text))
			continue
		}
		b.BeginObject(name)
		addAttributes(b, rest, text)
		b.End()
	}
}
