// SPDX-License-Identifier: Apache-2.0

// Package envelope writes events as the receivers of sinks want them.
//
// The text of an event is untrusted bytes. Each envelope keeps all of them, except
// where its format has no place for some; then its documentation says what stands
// there. The time of an event is that of its receipt. The kernel's is written
// beside it, under its own name, and only when the module has said it.
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

// Options say what New makes. What is not for the kind is ignored.
type Options struct {
	Kind        Kind   // empty is JSON
	ContentType string // of Raw and Template; empty is the kind's own
	Template    string // text/template, of Template
	CloudEvents CloudEventsOptions
	Syslog      SyslogOptions
}

// New returns the encoder of a kind. It fails when the kind is not known or its
// template cannot work.
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
	return nil, fmt.Errorf("no envelope is named %q", string(o.Kind))
}
