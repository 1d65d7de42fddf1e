// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/envelope"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// newEncoder fails for a template that does not compile, with a sink.OptionError.
func newEncoder(c *config.Sink) (event.Encoder, error) {
	encoder, err := envelope.New(envelopeOptions(c))
	if err != nil {
		return nil, &sink.OptionError{Key: "template", Err: err}
	}
	return encoder, nil
}

func envelopeOptions(c *config.Sink) envelope.Options {
	return envelope.Options{
		Kind:        envelope.Kind(c.Form()),
		ContentType: c.ContentType,
		Template:    c.Template,
		CloudEvents: envelope.CloudEventsOptions{
			Source: c.CloudEvents.Source, Type: c.CloudEvents.Type, Binary: c.CloudEvents.Mode == config.CloudEventsBinary,
		},
		Syslog: envelope.SyslogOptions{
			Facility: c.RFC5424.Facility.Number(), Severity: c.RFC5424.Severity.Number(), AppName: c.RFC5424.AppName,
		},
	}
}
