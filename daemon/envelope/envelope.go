// SPDX-License-Identifier: Apache-2.0

// Package envelope encodes events in the formats of the sinks' receivers.
//
// The text of an event is untrusted bytes. Each envelope keeps all of them, unless its
// format cannot represent some; its documentation then describes the replacement. The
// time of an event is its time of receipt. The kernel's time is a separate field, which
// is present only if the module sends it.
package envelope

import (
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
