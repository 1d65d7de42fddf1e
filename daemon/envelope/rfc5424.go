// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"bytes"
	"cmp"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/genltestd/genltestd/daemon/event"
)

// SyslogOptions are those of RFC5424. Facility and severity are the RFC's numbers.
type SyslogOptions struct {
	Facility int
	Severity int    // of an event; a gap and suppressed events are at least a warning
	AppName  string // empty is genltestd
}

const severityWarning = 4

// Limits of RFC 5424, in bytes.
const (
	maxHostName  = 255
	maxAppName   = 48
	maxParamName = 32
)

// syslog writes a whole message of RFC 5424, without the framing of a transport. A
// text may hold any byte, line breaks too.
type syslog struct {
	event, news []byte // priority and version
	appName     []byte
	parts       event.Parts
}

func newSyslog(o SyslogOptions) *syslog {
	appName := appendHeader(nil, cmp.Or(o.AppName, "genltestd"), maxAppName)
	return &syslog{
		event:   appendPriority(o.Facility, o.Severity),
		news:    appendPriority(o.Facility, min(o.Severity, severityWarning)),
		appName: appName,
	}
}

func appendPriority(facility, severity int) []byte {
	return append(strconv.AppendInt([]byte{'<'}, int64(facility*8+severity), 10), ">1 "...)
}

func (s *syslog) Append(dst []byte, e *event.Event) ([]byte, error) {
	kind := e.Kind()
	if kind == "event" {
		dst = append(dst, s.event...)
	} else {
		dst = append(dst, s.news...)
	}
	dst = e.Time.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z07:00")
	dst = appendHeader(append(dst, ' '), e.Host, maxHostName)
	dst = append(append(dst, ' '), s.appName...)
	// No PROCID: a new one would say that the flow of events was interrupted, which
	// it is not when the daemon is started again.
	dst = append(append(dst, " - "...), kind...)
	dst = s.appendData(append(dst, ' '), e)
	return appendMessage(dst, e), nil
}

func (*syslog) ContentType() string { return "text/plain" }

func (*syslog) BatchContentType() string { return "" }

// The structured data carry what the header has no place for. The names are
// qualified by 32473, the enterprise number that RFC 5612 sets aside: the project
// has none of its own.
func (s *syslog) appendData(dst []byte, e *event.Event) []byte {
	dst = append(dst, "[genltestd@32473"...)
	for name, value := range s.parts.Of(e) {
		switch name {
		case "kind", "time", "host": // the header has these
			continue
		}
		dst = appendParam(append(append(dst, ' '), name...), value)
	}
	dst = append(dst, ']')
	if e.Origin == nil || len(e.Origin.Labels) == 0 {
		return dst
	}
	dst = append(dst, "[labels@32473"...)
	for _, label := range e.Origin.Labels {
		dst = appendName(append(dst, ' '), label.Name, maxParamName)
		dst = appendParam(dst, label.Value)
	}
	return append(dst, ']')
}

// appendParam appends a value that is UTF-8 and has no control character: each byte
// or character that is neither becomes U+FFFD.
func appendParam[T string | []byte](dst []byte, value T) []byte {
	dst = append(dst, `="`...)
	for _, r := range string(value) {
		switch {
		case r == '"' || r == '\\' || r == ']':
			dst = append(dst, '\\', byte(r))
		case unicode.IsControl(r):
			dst = utf8.AppendRune(dst, utf8.RuneError)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// appendHeader appends a field of the header, which has printable ASCII only.
func appendHeader(dst []byte, text string, limit int) []byte {
	if text == "" {
		return append(dst, '-')
	}
	for i := range min(len(text), limit) {
		c := text[i]
		if c <= ' ' || c > '~' {
			c = '_'
		}
		dst = append(dst, c)
	}
	return dst
}

const byteOrderMark = "\ufeff"

// appendMessage marks UTF-8 as the RFC wants it. A text in ASCII needs no mark, which
// many receivers keep as a part of it; one that is not UTF-8 must have none. If that
// begins with the bytes of a mark, what is not UTF-8 in it becomes U+FFFD.
func appendMessage(dst []byte, e *event.Event) []byte {
	text := e.Message
	switch marked := bytes.HasPrefix(text, []byte(byteOrderMark)); {
	case e.Kind() != "event":
		return e.AppendText(append(dst, ' '))
	case len(text) == 0:
		return dst
	case isASCII(text), !marked && !utf8.Valid(text):
		return append(append(dst, ' '), text...)
	case marked:
		text = bytes.ToValidUTF8(text, []byte("\ufffd"))
	}
	return append(append(dst, " "+byteOrderMark...), text...)
}

func isASCII(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
