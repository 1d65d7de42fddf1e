// SPDX-License-Identifier: Apache-2.0

// Package fields names the parts of an event for sinks whose other side uses names and
// values: fields of the systemd journal, environment variables.
package fields

import (
	"strconv"
	"strings"

	"github.com/genltestd/genltestd/daemon/event"
)

const (
	prefix = "GENLTEST_"
	// maxName is the limit of journald; environments do not have a limit.
	maxName = 64
	// maxAttributes limits the attributes of an event. An entry of journald has at most 1,024
	// fields.
	maxAttributes = 200
)

// omitted has the number of attributes beyond maxAttributes.
const omitted = prefix + "OMITTED_ATTRIBUTES"

// The names of the text, which Each omits.
const (
	// Message has the escaped text.
	Message = prefix + "MESSAGE"
	// MessageBase64 has the exact bytes, if Message differs from them.
	MessageBase64 = prefix + "MESSAGE_BASE64"
)

// A Namer returns the name of each part of an event. Reuse it for many events, because it
// keeps memory; it is not safe for concurrent use.
type Namer struct {
	parts       event.Parts
	name, value []byte
}

// Each calls set for every part of the event except its text. The names are those of the
// JSON envelope, in capitals and with the prefix GENLTEST_, and GENLTEST_LABEL_NAME and
// GENLTEST_CAPTURE_NAME. Attributes are GENLTEST_ATTR_PATH: see event.Parts. Callers must
// keep neither name nor value. Values from untrusted text are escaped; labels belong to the
// operator.
func (n *Namer) Each(e *event.Event, set func(name, value []byte)) {
	attributes := 0
	for part, value := range n.parts.Of(e) {
		if strings.HasPrefix(part, event.AttributePrefix) {
			if attributes++; attributes > maxAttributes {
				continue
			}
		}
		if len(value) > 0 {
			set(n.called("", part), n.shown(value))
		}
	}
	if attributes > maxAttributes {
		n.value = strconv.AppendInt(n.value[:0], int64(attributes-maxAttributes), 10)
		set([]byte(omitted), n.value)
	}
	if e.Origin != nil {
		for _, l := range e.Origin.Labels {
			n.value = append(n.value[:0], l.Value...)
			set(n.called("LABEL_", l.Name), n.value)
		}
	}
	for _, c := range e.Captures {
		set(n.called("CAPTURE_", c.Name), n.shown(c.Value))
	}
}

func (n *Namer) shown(value []byte) []byte {
	if event.IsVisible(value) {
		return value
	}
	n.value = event.AppendVisible(n.value[:0], value)
	return n.value
}

// called converts any text to a name of ASCII capitals, digits and "_".
func (n *Namer) called(kind, text string) []byte {
	n.name = append(append(n.name[:0], prefix...), kind...)
	for _, r := range text {
		switch {
		case r >= 'a' && r <= 'z':
			r += 'A' - 'a'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		default:
			r = '_'
		}
		n.name = append(n.name, byte(r))
	}
	return n.name[:min(len(n.name), maxName)]
}
