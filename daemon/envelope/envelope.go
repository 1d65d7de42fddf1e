// SPDX-License-Identifier: Apache-2.0

// Package envelope encodes events in the formats of the sinks' receivers.
//
// The text of an event is untrusted bytes. Each envelope keeps all of them, unless its
// format cannot represent some; its documentation then describes the replacement. The
// time of an event is its time of receipt. The kernel's time is a separate field, which
// is present only if the module sends it.
package envelope

import (
	"cmp"
	"fmt"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Kind is the name of an envelope.
type Kind string

// The kinds of envelope.
const (
	JSON        Kind = "json"
	Raw         Kind = "raw"
	CloudEvents Kind = "cloudevents"
	RFC5424     Kind = "rfc5424"
	Template    Kind = "template"
	Logfmt      Kind = "logfmt"
)

// Options configure New. It ignores options of other kinds.
type Options struct {
	Kind        Kind   // empty is JSON
	ContentType string // of Raw and Template; empty means the kind's default
	Template    string // text/template, of Template
	CloudEvents CloudEventsOptions
	Syslog      SyslogOptions
}

// New returns the encoder of a kind. It returns an error if the kind is unknown or the
// template is invalid.
func New(o Options) (event.Encoder, error) {
	switch o.Kind {
	case JSON, "":
		return event.JSON{}, nil
	case Raw:
		return newRaw(o.ContentType), nil
	case CloudEvents:
		return newCloudEvents(o.CloudEvents), nil
	case RFC5424:
		return newSyslog(o.Syslog), nil
	case Template:
		return newTemplate(o.Template, o.ContentType)
	case Logfmt:
		return &keyValues{}, nil
	}
	return nil, fmt.Errorf("unknown envelope %q", string(o.Kind))
}

// raw writes exactly the bytes of the text. It writes a gap and suppressed events as a
// sentence, which a text may imitate: receivers that must distinguish them need another
// envelope.
type raw struct{ contentType string }

func newRaw(contentType string) raw {
	return raw{cmp.Or(contentType, "application/octet-stream")}
}

func (raw) Append(dst []byte, e *event.Event) ([]byte, error) { return e.AppendText(dst), nil }

func (r raw) ContentType() string { return r.contentType }

func (raw) BatchContentType() string { return "" }

// appendName appends at most limit bytes of a label's name, and replaces bytes that
// have a meaning in a format. Names from the configuration contain no such bytes.
func appendName(dst []byte, name string, limit int) []byte {
	for i := range min(len(name), limit) {
		c := name[i]
		if !isWordByte(c) {
			c = '_'
		}
		dst = append(dst, c)
	}
	return dst
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}
