// SPDX-License-Identifier: Apache-2.0

package journald

import (
	"encoding/base64"
	"strconv"

	"github.com/coreos/go-systemd/v22/journal"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink/fields"
	"github.com/genltestd/genltestd/daemon/systemd/entry"
)

// MESSAGE_ID of each kind of event, for journalctl MESSAGE_ID=... They must not change.
const (
	EventID      = "95d67113b44e48a5a63c209d0dd91446"
	GapID        = "fdea0f59f17948ca814d7a3db55e4dc1"
	SuppressedID = "83010679edde4cb0a85d3c3139775427"
	TestID       = "9fb2089b39c04c57b0b196e9cdc09d8d"
)

// An encoder writes entries of journald's native protocol. It is not safe for
// concurrent use.
type encoder struct {
	priority journal.Priority
	common   []byte // end of every entry

	entry, text []byte
	namer       fields.Namer
}

func newEncoder(c *Config) encoder {
	common := entry.AppendField(nil, "SYSLOG_IDENTIFIER", []byte(c.Identifier))
	for _, f := range c.Fields {
		common = entry.AppendField(common, f.Name, []byte(f.Value))
	}
	return encoder{priority: c.priority(), common: common}
}

// encode returns an entry that is valid until the next call. Fields may contain any bytes,
// but journalctl and journald's forwarding show MESSAGE on terminals.
func (c *encoder) encode(e *event.Event) []byte {
	var exact bool
	c.text, exact = e.AppendShown(c.text[:0])
	c.entry = entry.AppendField(c.entry[:0], "MESSAGE", c.text)
	if !exact {
		c.text = base64.StdEncoding.AppendEncode(c.text[:0], e.Message)
		c.entry = entry.AppendField(c.entry, fields.MessageBase64, c.text)
	}
	id, priority := c.class(e)
	c.entry = entry.AppendField(c.entry, "MESSAGE_ID", []byte(id))
	c.entry = entry.AppendField(c.entry, "PRIORITY", strconv.AppendInt(c.text[:0], int64(priority), 10))
	c.namer.Each(e, func(name, value []byte) { c.entry = entry.AppendField(c.entry, name, value) })
	c.entry = append(c.entry, c.common...)
	return c.entry
}

func (c *encoder) class(e *event.Event) (id string, priority journal.Priority) {
	switch {
	case e.Gap != nil:
		return GapID, min(c.priority, journal.PriWarning) // a smaller number is more urgent
	case e.Suppressed != nil:
		return SuppressedID, c.priority
	case e.Test != nil:
		return TestID, c.priority
	}
	return EventID, c.priority
}
