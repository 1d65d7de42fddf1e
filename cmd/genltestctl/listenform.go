// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/genltestd/genltestd/daemon/event"
)

// A listenForm is an event that listen received, or a number of dropped messages, as JSON. The form is
// documented and stable. The names are those of the events in sinks.
type listenForm struct {
	Time       time.Time       `json:"time"`
	Family     string          `json:"family"`
	Group      string          `json:"group,omitempty"`
	KernelTime *time.Time      `json:"kernel_time,omitempty"`
	KernelSeq  uint64          `json:"kernel_seq,omitempty"`
	LoadID     string          `json:"load_id,omitempty"`
	Message    *string         `json:"message,omitempty"`
	Bytes      []byte          `json:"message_base64,omitempty"` // if Message is not UTF-8
	Command    *string         `json:"command,omitempty"`
	Attributes json.RawMessage `json:"attributes,omitempty"`
	Error      string          `json:"error,omitempty"`
	Dropped    uint32          `json:"dropped,omitempty"`
}

func listenFormOf(e *event.Event) listenForm {
	f := listenForm{Time: e.Time.UTC(), Family: e.Family, Group: e.Group, KernelSeq: e.KernelSeq}
	if !e.KernelTime.IsZero() {
		at := e.KernelTime.UTC()
		f.KernelTime = &at
	}
	if e.LoadID != 0 {
		f.LoadID = string(event.AppendLoadID(nil, e.LoadID))
	}
	if c := e.Content; c != nil {
		f.Command, f.Attributes, f.Error = &c.Command, c.Attributes.AppendJSON(nil), c.Error
		return f
	}
	text := string(event.WithoutBreak(e.Message))
	f.Message = &text
	if !utf8.ValidString(text) {
		f.Bytes = e.Message
	}
	return f
}

// print prints an event.
func (l *listener) print(e *event.Event) error {
	if l.out.format == outputJSON {
		return l.out.json(listenFormOf(e))
	}
	text := string(event.AppendLine(nil, e.Message))
	if c := e.Content; c != nil {
		text = visible(fmt.Sprintf("%s %s", c.Command, c.Attributes.AppendJSON(nil)))
		if c.Error != "" {
			text += " (" + visible(c.Error) + ")"
		}
	}
	lead := fmt.Sprintf("%s  %s %s  ", e.Time.Format("15:04:05.000"), visible(e.Family), visible(e.Group))
	switch width := l.out.width; {
	case width == 0:
		fmt.Fprintf(l.out.out, "%s%s\n", lead, text)
	case utf8.RuneCountInString(lead) > width/2: // the text would have less than half of the width
		l.out.line(plain, "", lead)
		l.out.line(plain, "  ", text)
	default:
		l.out.line(plain, lead, text)
	}
	return nil
}
