// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"mime"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/daemon/sink"
)

// The words of Sink.Envelope.
const (
	// EnvelopeAuto is the default of the kind of sink; see Sink.Form.
	EnvelopeAuto = "auto"
	// EnvelopeJSON is one JSON object.
	EnvelopeJSON = "json"
	// EnvelopeRaw is the bytes of the text.
	EnvelopeRaw = "raw"
	// EnvelopeCloudEvents is a CloudEvent.
	EnvelopeCloudEvents = "cloudevents"
	// EnvelopeRFC5424 is a syslog message.
	EnvelopeRFC5424 = "rfc5424"
	// EnvelopeTemplate is the output of the sink's template.
	EnvelopeTemplate = "template"
	// EnvelopeLogfmt is key=value pairs.
	EnvelopeLogfmt = "logfmt"
)

// Form returns the envelope of the events: that of the file, or the default of the kind,
// which is EnvelopeJSON for most kinds.
func (k *Sink) Form() string {
	if k.Envelope != EnvelopeAuto {
		return k.Envelope
	}
	if e, ok := k.Config.(sink.Enveloper); ok {
		return e.DefaultEnvelope()
	}
	return EnvelopeJSON
}

// CloudEvents is about EnvelopeCloudEvents.
type CloudEvents struct {
	// Source is a URI reference; empty means /genltestd/HOST/genltest/mcgrp.
	Source string `yaml:"source" default:""`
	// Type is the beginning of the types of all events.
	Type string `yaml:"type" default:"com.github.genltestd"`
	// Mode is the place of the attributes.
	Mode string `yaml:"mode" default:"structured" oneof:"structured binary"`
}

// The words of CloudEvents.Mode.
const (
	// CloudEventsStructured has the attributes in the body.
	CloudEventsStructured = "structured"
	// CloudEventsBinary has the attributes outside of the body, such as in the headers.
	CloudEventsBinary = "binary"
)

// RFC5424 is about EnvelopeRFC5424.
type RFC5424 struct {
	Facility string `yaml:"facility" default:"daemon" oneof:"kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock local0 local1 local2 local3 local4 local5 local6 local7"`
	// Severity is that of an event; a gap or a summary is at least a warning.
	Severity string `yaml:"severity" default:"info" oneof:"emerg alert crit err warning notice info debug"`
	AppName  string `yaml:"app_name" default:"genltestd"`
}

// Numbers returns the numbers of RFC 5424 for the facility and the severity: each list of
// words is in the order of these numbers.
func (f *RFC5424) Numbers() (facility, severity int) {
	return wordIndex(f, "Facility", f.Facility), wordIndex(f, "Severity", f.Severity)
}

// wordIndex returns the position of a word in the list of a field.
func wordIndex(f *RFC5424, field, word string) int {
	declared, _ := reflect.TypeOf(f).Elem().FieldByName(field)
	return slices.Index(strict.Words(declared.Type, declared.Tag), word)
}

// maxTemplate is far above the length of templates that people write.
const maxTemplate = 64 << 10

// checkEnvelope rejects keys that the envelope of the sink does not use, and invalid values of
// those that it uses.
func (k *Sink) checkEnvelope(s strict.Section) {
	if !s.Read("envelope", "template", "content_type", "cloudevents", "rfc5424") {
		return
	}
	if k.hasOwnFields() {
		if k.Envelope != EnvelopeAuto {
			s.Errorf("envelope", "has no effect %s", k.withOwnFields())
		}
		return
	}
	isTemplate := k.Form() == EnvelopeTemplate
	switch {
	case isTemplate && k.Template == "":
		s.Errorf("template", "is missing, which envelope: template needs; give one, such as %q", "{{.Host}}: {{.Text}}")
	case !isTemplate && k.Template != "":
		s.Errorf("template", "has no effect %s", withoutEnvelope(k.Form(), EnvelopeTemplate))
	case len(k.Template) > maxTemplate:
		s.Errorf("template", "has %d bytes; write at most %d", len(k.Template), maxTemplate)
	}
	switch {
	case k.ContentType == "":
	case !isTemplate && k.Form() != EnvelopeRaw:
		s.Errorf("content_type", "has no effect with envelope: %s; leave it out", k.Form())
	case !isMediaType(k.ContentType):
		s.Errorf("content_type", "%s is not a media type; write one like text/plain or application/json", strict.Quote(k.ContentType))
	}
	k.checkAttributes(s)
}

// checkAttributes rejects attributes outside of the body if the kind does not support them,
// and keys of the kind that the attributes replace.
func (k *Sink) checkAttributes(s strict.Section) {
	holder, ok := k.Config.(sink.AttributeHolder)
	switch {
	case k.Config == nil || k.CloudEvents.Mode != CloudEventsBinary:
	case !ok:
		s.Errorf("cloudevents.mode", "a sink of kind %q cannot send attributes outside of the event; write structured", k.Kind)
	case k.Form() == EnvelopeCloudEvents:
		holder.CheckAttributes(s.Within(k.Kind))
	}
}

// hasOwnFields reports whether the kind writes fields of its own in place of an envelope.
func (k *Sink) hasOwnFields() bool {
	w, ok := k.Config.(sink.FieldWriter)
	return ok && w.HasOwnFields()
}

func (k *Sink) withOwnFields() string {
	return fmt.Sprintf("with kind %s, whose entries have fields of their own; leave it out", k.Kind)
}

// Ineffective implements strict.Conditional: it returns the keys of the envelopes that the
// sink does not use.
func (k *Sink) Ineffective() (all []strict.Ineffective) {
	beside := []string{"envelope"}
	if k.hasOwnFields() {
		for _, key := range []string{"template", "content_type", "cloudevents", "rfc5424"} {
			all = append(all, strict.Ineffective{Key: key, Why: k.withOwnFields(), Beside: beside})
		}
		return all
	}
	for key, of := range map[string]string{"cloudevents": EnvelopeCloudEvents, "rfc5424": EnvelopeRFC5424} {
		if k.Form() != of {
			all = append(all, strict.Ineffective{Key: key, Why: withoutEnvelope(k.Form(), of), Beside: beside})
		}
	}
	return all
}

func withoutEnvelope(is, needed string) string {
	return fmt.Sprintf("with envelope: %s; write envelope: %s, or leave it out", is, needed)
}

func isMediaType(text string) bool {
	mediaType, _, err := mime.ParseMediaType(text)
	return err == nil && strings.Contains(mediaType, "/") && len(text) <= 200 && isPrintableASCII(text)
}

func isPrintableASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > unicode.MaxASCII-1 })
}

var (
	uriCharacters = regexp.MustCompile(`^([A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*$`)
	eventType     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9][A-Za-z0-9_-]*)*$`)
)

// maxAttribute limits the attributes that each event contains.
const maxAttribute = 200

// Check implements strict.Checker.
func (c *CloudEvents) Check(s strict.Section) {
	if _, err := url.Parse(c.Source); err != nil || !uriCharacters.MatchString(c.Source) || len(c.Source) > maxAttribute {
		s.Errorf("source", "%s is not a URI reference of at most %d characters; write one like /site/berlin or urn:example:berlin",
			strict.Quote(c.Source), maxAttribute)
	}
	if !eventType.MatchString(c.Type) || len(c.Type) > maxAttribute {
		s.Errorf("type", "%s is not a valid type; write words with dots between, like com.example.kernel", strict.Quote(c.Type))
	}
}

// maxAppName is the limit of RFC 5424.
const maxAppName = 48

// Check implements strict.Checker.
func (f *RFC5424) Check(s strict.Section) {
	if f.AppName == "" || len(f.AppName) > maxAppName || !isPrintableASCII(f.AppName) || strings.Contains(f.AppName, " ") {
		s.Errorf("app_name", "%s is not a valid name; write 1 to %d printable ASCII characters without a space",
			strict.Quote(f.AppName), maxAppName)
	}
}
