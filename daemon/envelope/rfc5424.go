// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"cmp"
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/genltestd/genltestd/daemon/event"
)

// SyslogOptions are the options of RFC5424. Facility and severity are the numbers of
// the RFC.
type SyslogOptions struct {
	Facility int
	Severity int    // of an event or a test; gaps and suppressed events are at least a warning
	AppName  string // empty means genltestd
}

const severityWarning = 4

// Limits of RFC 5424, in bytes.
const (
	maxHostName  = 255
	maxAppName   = 48
	maxParamName = 32
)

// syslog writes a complete message of RFC 5424, without the framing of a transport. The
// message is one line, because servers write lines and relay to others that read lines.
// If the text contains escapes, its exact bytes are in the structured data.
type syslog struct {
	event, report []byte // priority and version; report is for gaps and suppressed events
	appName       []byte
	parts         event.Parts
	text          []byte // of the last event with a Content
}

var _ event.Marker = (*syslog)(nil)

func newSyslog(o SyslogOptions) *syslog {
	appName := appendHeader(nil, cmp.Or(o.AppName, "genltestd"), maxAppName)
	return &syslog{
		event:   appendPriority(o.Facility, o.Severity),
		report:  appendPriority(o.Facility, min(o.Severity, severityWarning)),
		appName: appName,
	}
}

func appendPriority(facility, severity int) []byte {
	return append(strconv.AppendInt([]byte{'<'}, int64(facility*8+severity), 10), ">1 "...)
}

// Append implements event.Encoder.
func (s *syslog) Append(dst []byte, e *event.Event) ([]byte, error) {
	return s.message(dst, e, ""), nil
}

// AppendMarked implements event.Marker. ASCII text needs no mark, which many receivers
// would treat as part of the text.
func (s *syslog) AppendMarked(dst []byte, e *event.Event) ([]byte, error) {
	return s.message(dst, e, byteOrderMark), nil
}

func (s *syslog) message(dst []byte, e *event.Event, mark string) []byte {
	kind := e.Kind()
	if kind == "event" || kind == "test" { // servers treat a test as an event
		dst = append(dst, s.event...)
	} else {
		dst = append(dst, s.report...)
	}
	dst = event.AppendTime(dst, e.Time)
	dst = append(dst[:len(dst)-len("789Z")], 'Z') // the RFC allows microseconds
	dst = appendHeader(append(dst, ' '), e.Host, maxHostName)
	dst = append(append(dst, ' '), s.appName...)
	// PROCID is absent: a changed PROCID means that the flow of events was interrupted,
	// but a restart of the daemon does not interrupt it.
	dst = append(append(dst, " - "...), kind...)
	dst = s.appendData(append(dst, ' '), e)
	switch {
	case kind != "event":
		return e.AppendText(append(dst, ' '))
	case e.Content != nil:
		s.text = e.AppendText(s.text[:0])
		return appendMessage(dst, s.text, mark)
	}
	return appendMessage(dst, event.WithoutBreak(e.Message), mark)
}

func (*syslog) ContentType() string { return "text/plain" }

func (*syslog) BatchContentType() string { return "" }

// appendData appends the fields that are not in the header. The names are qualified by
// 32473, the enterprise number that RFC 5612 reserves for examples; the project does
// not own a number.
func (s *syslog) appendData(dst []byte, e *event.Event) []byte {
	dst = append(dst, "[genltestd@32473"...)
	for name, value := range s.parts.Of(e) {
		switch name {
		case "kind", "time", "host", "error", "raw": // these are in the header or in the text
			continue
		}
		if strings.HasPrefix(name, event.AttributePrefix) { // likewise; a name has at most maxParamName bytes
			continue
		}
		dst = appendParam(append(append(dst, ' '), name...), value)
	}
	if !e.HasSafeText() && !event.IsVisible(e.Message) {
		dst = base64.StdEncoding.AppendEncode(append(dst, ` message_base64="`...), e.Message)
		dst = append(dst, '"')
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

// appendParam appends a value as UTF-8 without control characters: it replaces each
// invalid byte or control character by U+FFFD.
func appendParam[T string | []byte](dst []byte, value T) []byte {
	dst = append(dst, `="`...)
	plain := 0 // start of the run not yet copied
	for i := 0; i < len(value); {
		c := value[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' && c != ']' {
			i++
			continue
		}
		dst = append(dst, value[plain:i]...)
		plain = i
		// Four bytes are enough for any rune, and keep the conversion off the heap.
		r, size := utf8.DecodeRuneInString(string(value[i:min(i+utf8.UTFMax, len(value))]))
		i += size
		switch {
		case r == '"' || r == '\\' || r == ']':
			dst = append(dst, '\\')
		case r == utf8.RuneError || event.IsUnsafe(r):
			dst = utf8.AppendRune(dst, utf8.RuneError)
			plain = i
		}
	}
	return append(append(dst, value[plain:]...), '"')
}

// appendHeader appends a field of the header, which contains printable ASCII only.
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

// appendMessage appends the text with escapes. It adds the mark if the result is not
// ASCII.
func appendMessage(dst, text []byte, mark string) []byte {
	if len(text) == 0 {
		return dst
	}
	dst = append(dst, ' ')
	if mark == "" || isASCII(text) {
		return event.AppendVisible(dst, text)
	}
	begin := len(dst)
	dst = event.AppendVisible(append(dst, mark...), text)
	if shown := dst[begin+len(mark):]; isASCII(shown) {
		return append(dst[:begin], shown...)
	}
	return dst
}

func isASCII(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
