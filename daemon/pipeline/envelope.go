// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"fmt"
	"math"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/envelope"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/daemon/sink"
)

// NewEncoder returns the encoder of a sink, or a sink.OptionError if its template does not compile.
func NewEncoder(c *config.Sink) (event.Encoder, error) {
	encoder, err := envelope.New(envelopeOptions(c))
	if err != nil {
		return nil, templateError(err)
	}
	return encoder, nil
}

// CompileTemplate implements sink.Env.Compile.
func CompileTemplate(t sink.Template) (event.Encoder, error) {
	encoder, err := envelope.NewName(envelope.Name{Text: t.Text, Replace: t.Replace, Accept: t.Accept})
	if err != nil {
		return nil, faultOfTemplate(t.Key, err)
	}
	return encoder, nil
}

// templatesOf returns the templates of the kind of a sink.
func templatesOf(c *config.Sink) []sink.Template {
	if t, ok := c.Config.(sink.Templater); ok {
		return t.Templates()
	}
	return nil
}

// compileTemplates returns the faults of the templates that do not compile.
func compileTemplates(c *config.Sink) error {
	var faults []error
	for _, t := range templatesOf(c) {
		_, err := CompileTemplate(t)
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// tryTemplates returns the faults of the templates that compile, but do not write an accepted
// name for each event that the sink may receive.
func (s *compiled) tryTemplates(cfg *config.Config, i int, compiler *match.Compiler) error {
	if hasUnknownNames(cfg, i) {
		return nil
	}
	var faults []error
	for _, t := range templatesOf(s.cfg) {
		encoder, err := CompileTemplate(t)
		if err != nil {
			continue // compileTemplates returns it
		}
		for _, err := range leaves(envelope.Check(encoder, envelopeContext(&cfg.Event, s.cfg, compiler), nil)) {
			faults = append(faults, faultOfTemplate(t.Key, err))
		}
	}
	return errors.Join(faults...)
}

// hasUnknownNames reports whether the names of captures or labels are not known, because their
// keys have faults.
func hasUnknownNames(cfg *config.Config, i int) bool {
	return hasFault(cfg, extractKey(i)) || hasFault(cfg, "event.labels")
}

func templateError(err error) *sink.OptionError { return faultOfTemplate("template", err) }

func faultOfTemplate(key string, err error) *sink.OptionError {
	option := &sink.OptionError{Key: key, Err: err}
	var fault *envelope.Fault
	if errors.As(err, &fault) {
		option.Line, option.Column = fault.Line, fault.Column
	}
	return option
}

// encodeSamples encodes samples of all events that the sink may receive.
func (s *compiled) encodeSamples(cfg *config.Config, i int, compiler *match.Compiler) error {
	if s.encoder == nil || hasUnknownNames(cfg, i) {
		return nil
	}
	accept := func([]byte) error { return nil }
	if acceptor, ok := s.cfg.Config.(sink.Acceptor); ok {
		accept = acceptor.Accept
	}
	shortest := math.MaxInt
	measure := func(result []byte) error {
		shortest = min(shortest, len(result))
		return accept(result)
	}
	var faults []error
	for _, err := range leaves(envelope.Check(s.encoder, envelopeContext(&cfg.Event, s.cfg, compiler), measure)) {
		faults = append(faults, templateError(err))
	}
	limiter, ok := s.cfg.Config.(sink.SizeLimiter)
	if ok && shortest != math.MaxInt && shortest > limiter.MaxResult() {
		faults = append(faults, templateError(fmt.Errorf("writes at least %d bytes for each event, but max_message is %d; "+
			"write less, or increase max_message", shortest, limiter.MaxResult())))
	}
	return errors.Join(faults...)
}

func envelopeContext(e *config.Event, c *config.Sink, compiler *match.Compiler) *envelope.Context {
	added := origin.Config{Labels: e.Labels}
	return &envelope.Context{
		Labels: added.SortedLabels(), Captures: compiler.Captures(c.Extract),
		MachineID: e.MachineID, BootID: e.BootID, KernelRelease: e.KernelRelease,
		UnknownAttribute: compiler.UnknownAttribute(),
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
