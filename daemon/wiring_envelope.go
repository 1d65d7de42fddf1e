// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/envelope"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/sink"
)

// newEncoder fails for a template that does not compile, with a sink.OptionError.
func newEncoder(c *config.Sink) (event.Encoder, error) {
	encoder, err := envelope.New(envelopeOptions(c))
	if err != nil {
		return nil, templateError(err)
	}
	return encoder, nil
}

func templateError(err error) *sink.OptionError {
	option := &sink.OptionError{Key: "template", Err: err}
	var fault *envelope.Fault
	if errors.As(err, &fault) {
		option.Line, option.Column = fault.Line, fault.Column
	}
	return option
}

// checkEnvelope has the envelope write samples of what the sink may get.
func checkEnvelope(e *config.Event, c *config.Sink) error {
	encoder, err := newEncoder(c)
	if err != nil {
		return err
	}
	var accept func([]byte) error
	if acceptor, ok := c.Config.(sink.Acceptor); ok {
		accept = acceptor.Accept
	}
	var faults []error
	for _, err := range pipeline.Leaves(envelope.Check(encoder, envelopeContext(e, c), accept)) {
		faults = append(faults, templateError(err))
	}
	return errors.Join(faults...)
}

func envelopeContext(e *config.Event, c *config.Sink) *envelope.Context {
	added := originConfig(e)
	return &envelope.Context{
		Labels: added.SortedLabels(), Captures: match.Captures(c.Extract),
		MachineID: e.MachineID, BootID: e.BootID, KernelRelease: e.KernelRelease,
	}
}

func envelopeOptions(c *config.Sink) envelope.Options {
	facility, severity := c.RFC5424.Numbers()
	return envelope.Options{
		Kind:        envelope.Kind(c.Form()),
		ContentType: c.ContentType,
		Template:    c.Template,
		CloudEvents: envelope.CloudEventsOptions{
			Source: c.CloudEvents.Source, Type: c.CloudEvents.Type, Binary: c.CloudEvents.Mode == config.CloudEventsBinary,
		},
		Syslog: envelope.SyslogOptions{
			Facility: facility, Severity: severity, AppName: c.RFC5424.AppName,
		},
	}
}
