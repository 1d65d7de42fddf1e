// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"mime"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Envelope says in what form a sink gets events.
type Envelope string

const (
	// EnvelopeAuto is what suits the kind of the sink; see Sink.Form.
	EnvelopeAuto Envelope = "auto"
	// EnvelopeJSON is one JSON object.
	EnvelopeJSON Envelope = "json"
	// EnvelopeRaw is the bytes of the text.
	EnvelopeRaw Envelope = "raw"
	// EnvelopeCloudEvents is a CloudEvent.
	EnvelopeCloudEvents Envelope = "cloudevents"
	// EnvelopeRFC5424 is a syslog message.
	EnvelopeRFC5424 Envelope = "rfc5424"
	// EnvelopeTemplate is what the sink's template makes of it.
	EnvelopeTemplate Envelope = "template"
	// EnvelopeLogfmt is key=value pairs.
	EnvelopeLogfmt Envelope = "logfmt"
)

// UnmarshalText refuses what is none of the constants.
func (e *Envelope) UnmarshalText(text []byte) error {
	return oneOf(e, text, EnvelopeAuto, EnvelopeJSON, EnvelopeRaw, EnvelopeCloudEvents, EnvelopeRFC5424, EnvelopeTemplate, EnvelopeLogfmt)
}

// MarshalText is the inverse of UnmarshalText.
func (e Envelope) MarshalText() ([]byte, error) { return []byte(e), nil }

// Form is the envelope that events get: EnvelopeRFC5424 for a syslog server and
// EnvelopeJSON for all others, if the file does not say.
func (k *Sink) Form() Envelope {
	switch {
	case k.Envelope != EnvelopeAuto:
		return k.Envelope
	case k.Syslog != nil:
		return EnvelopeRFC5424
	}
	return EnvelopeJSON
}

// CloudEvents is about EnvelopeCloudEvents.
type CloudEvents struct {
	// Source is a URI reference; empty means /genltestd/HOST/genltest/mcgrp.
	Source string `yaml:"source" default:""`
	// Type is what the types of all events begin with.
	Type string `yaml:"type" default:"com.github.genltestd"`
	// Mode says where the attributes stand.
	Mode CloudEventsMode `yaml:"mode" default:"structured"`
}

// CloudEventsMode says where the attributes of a CloudEvent stand.
type CloudEventsMode string

const (
	// CloudEventsStructured has them in the body.
	CloudEventsStructured CloudEventsMode = "structured"
	// CloudEventsBinary has them beside it, as the transport does.
	CloudEventsBinary CloudEventsMode = "binary"
)

// UnmarshalText refuses what is none of the constants.
func (m *CloudEventsMode) UnmarshalText(text []byte) error {
	return oneOf(m, text, CloudEventsStructured, CloudEventsBinary)
}

// MarshalText is the inverse of UnmarshalText.
func (m CloudEventsMode) MarshalText() ([]byte, error) { return []byte(m), nil }

// RFC5424 is about EnvelopeRFC5424.
type RFC5424 struct {
	Facility Facility `yaml:"facility" default:"daemon"`
	// Severity is that of an event; what is lost or suppressed is at least a
	// warning.
	Severity Severity `yaml:"severity" default:"info"`
	AppName  string   `yaml:"app_name" default:"genltestd"`
}

// Facility is one of syslog's, by the name that it has in rsyslog.conf.
type Facility string

// In the order of the RFC's numbers.
var facilities = []Facility{
	"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock",
	"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
}

// UnmarshalText refuses what is no facility.
func (f *Facility) UnmarshalText(text []byte) error { return oneOf(f, text, facilities...) }

// MarshalText is the inverse of UnmarshalText.
func (f Facility) MarshalText() ([]byte, error) { return []byte(f), nil }

// Number is the RFC's.
func (f Facility) Number() int { return slices.Index(facilities, f) }

// Severity is one of syslog's.
type Severity string

// In the order of the RFC's numbers.
var severities = []Severity{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

// UnmarshalText refuses what is no severity.
func (v *Severity) UnmarshalText(text []byte) error { return oneOf(v, text, severities...) }

// MarshalText is the inverse of UnmarshalText.
func (v Severity) MarshalText() ([]byte, error) { return []byte(v), nil }

// Number is the RFC's.
func (v Severity) Number() int { return slices.Index(severities, v) }

// maxTemplate is far more than anybody writes by hand.
const maxTemplate = 64 << 10

// checkEnvelope wants the keys of the envelope that the sink has, and no others.
func (k *Sink) checkEnvelope(s section) {
	if !s.read("envelope", "template", "content_type", "cloudevents", "rfc5424") {
		return
	}
	if k.Journald != nil {
		if k.Envelope != EnvelopeAuto {
			s.errorf("envelope", "has no effect with kind journald, whose entries have fields of their own; leave it out")
		}
		return
	}
	isTemplate := k.Form() == EnvelopeTemplate
	switch {
	case isTemplate && k.Template == "":
		s.errorf("template", "is missing, which envelope: template needs; give one, such as %q", "{{.Host}}: {{.Text}}")
	case !isTemplate && k.Template != "":
		s.errorf("template", "has no effect %s", withoutEnvelope(k.Form(), EnvelopeTemplate))
	case len(k.Template) > maxTemplate:
		s.errorf("template", "has %d bytes; write at most %d", len(k.Template), maxTemplate)
	}
	switch {
	case k.ContentType == "":
	case !isTemplate && k.Form() != EnvelopeRaw:
		s.errorf("content_type", "has no effect with envelope: %s; leave it out", k.Form())
	case !isMediaType(k.ContentType):
		s.errorf("content_type", "%s is no media type; write one like text/plain or application/json", quote(k.ContentType))
	}
	k.checkAttributes(s)
	if k.CloudEvents.Mode == CloudEventsBinary && k.Kind() != "" && !hasAttributes(k.Kind()) {
		s.errorf("cloudevents.mode", "a sink of kind %q has no place for attributes beside the event; write structured", k.Kind())
	}
}

// checkAttributes rejects headers that the attributes of a CloudEvent replace.
func (k *Sink) checkAttributes(s section) {
	if k.Webhook == nil || k.Form() != EnvelopeCloudEvents || k.CloudEvents.Mode != CloudEventsBinary {
		return
	}
	for i, h := range k.Webhook.Headers {
		if name := textproto.CanonicalMIMEHeaderKey(h.Name); strings.HasPrefix(name, "Ce-") {
			s.errorf(fmt.Sprintf("webhook.headers[%d].name", i), "%s is written by cloudevents.mode: binary; leave one of them out", name)
		}
	}
}

var _ conditional = (*Sink)(nil)

// ineffective is about the keys of the envelopes that the sink does not have.
func (k *Sink) ineffective() (all []ineffective) {
	if k.Journald != nil {
		for _, key := range []string{"template", "content_type", "cloudevents", "rfc5424"} {
			all = append(all, ineffective{key, "with kind journald, whose entries have fields of their own; leave it out", []string{"envelope"}})
		}
		return all
	}
	for key, of := range map[string]Envelope{"cloudevents": EnvelopeCloudEvents, "rfc5424": EnvelopeRFC5424} {
		if k.Form() != of {
			all = append(all, ineffective{key, withoutEnvelope(k.Form(), of), []string{"envelope"}})
		}
	}
	return all
}

func withoutEnvelope(is, wants Envelope) string {
	return fmt.Sprintf("with envelope: %s; write envelope: %s, or leave it out", is, wants)
}

// hasAttributes says whether a kind has a place for attributes: headers,
// properties.
func hasAttributes(kind string) bool {
	switch kind {
	case "webhook":
		return true
	}
	return false
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

// maxAttribute bounds what each event carries.
const maxAttribute = 200

func (c *CloudEvents) check(s section) {
	if _, err := url.Parse(c.Source); err != nil || !uriCharacters.MatchString(c.Source) || len(c.Source) > maxAttribute {
		s.errorf("source", "%s is no URI reference of at most %d characters; write one like /site/berlin or urn:example:berlin", quote(c.Source), maxAttribute)
	}
	if !eventType.MatchString(c.Type) || len(c.Type) > maxAttribute {
		s.errorf("type", "%s does not do as a type; write words with dots between, like com.example.kernel", quote(c.Type))
	}
}

// maxAppName is the RFC's.
const maxAppName = 48

func (f *RFC5424) check(s section) {
	if f.AppName == "" || len(f.AppName) > maxAppName || !isPrintableASCII(f.AppName) || strings.Contains(f.AppName, " ") {
		s.errorf("app_name", "%s does not do as a name; write 1 to %d printable ASCII characters without a space", quote(f.AppName), maxAppName)
	}
}
