// SPDX-License-Identifier: Apache-2.0

// Package record decodes the records of the journal into events, and dumps a journal as
// lines of JSON. The journal stores bytes only; this package knows that they are messages
// of the kernel, canaries or gaps. It decodes the messages of most families by their specifications.
package record

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/ynl"
)

// A Decoder decodes the records of one journal. Its methods are safe for concurrent use
// if its functions are.
type Decoder struct {
	JournalID string

	// OriginOf returns the origin and the host of the event with that number.
	OriginOf func(seq uint64) (o *event.Origin, host string)
	// SpecOf returns the specification of a family, or nil without one. If SpecOf is nil, no
	// family has one.
	SpecOf func(family string) *ynl.Spec
	// Undecoded is called by Decode for a message that could not be decoded completely, unless
	// it is nil.
	Undecoded func(family string, seq uint64, fault string)

	mu   sync.Mutex
	idle []*ynl.Decoder // each has memory, so that decoding does not allocate it again
}

// Decode returns the event of a record. If the record cannot be decoded, the event has
// only its number, its time and its origin. A message of another family that does not
// match its specification is not an error: the event then contains its bytes.
func (d *Decoder) Decode(r journal.Record) (event.Event, error) {
	e, err := d.decode(r)
	if e.Content != nil && e.Content.Error != "" && d.Undecoded != nil {
		d.Undecoded(e.Family, e.Seq, e.Content.Error)
	}
	return e, err
}

// Peek is Decode without a call of Undecoded, for events that are only shown.
func (d *Decoder) Peek(r journal.Record) (event.Event, error) { return d.decode(r) }

func (d *Decoder) decode(r journal.Record) (event.Event, error) {
	e := event.Event{JournalID: d.JournalID, Seq: r.Seq, Time: r.Time, Family: genl.FamilyName, Group: genl.GroupName}
	e.Origin, e.Host = d.OriginOf(r.Seq)
	switch {
	case genl.IsMulticast(r.Data):
		return e, d.multicast(&e, r.Data)
	case genl.IsGap(r.Data):
		return e, decodeGap(&e, r.Data)
	}
	e.Canary = genl.IsCanary(r.Data)
	fields, err := genl.Decode(r.Data)
	e.KernelTime, e.KernelSeq, e.LoadID, e.Message = fields.KernelTime, fields.KernelSeq, fields.LoadID, fields.Message
	return e, err
}

// decodeGap decodes the report of lost events of one family.
func decodeGap(e *event.Event, data []byte) error {
	gap, err := genl.DecodeGap(data)
	if gap.Family != "" {
		e.Family, e.Group = gap.Family, "" // a gap can be of several groups
	}
	e.Gap = &event.Gap{
		Count: gap.Count, Reason: gap.Reason, From: gap.From, To: gap.To, LoadID: gap.LoadID, First: gap.First, Last: gap.Last,
	}
	return err
}

// multicast decodes the message of a family other than genltest.
func (d *Decoder) multicast(e *event.Event, data []byte) error {
	m, err := genl.DecodeMulticast(data)
	e.Family, e.Group = m.Family, m.Group
	if err != nil {
		return err
	}
	e.Content = &event.Content{}
	if err := d.content(e.Content, m.Family, m.Message); err != nil {
		e.Content.Error, e.Content.Raw = err.Error(), m.Message
	}
	return nil
}

// content decodes a netlink message as far as possible. The error is its first fault.
func (d *Decoder) content(c *event.Content, family string, message []byte) error {
	payload, cut := genl.Payload(message)
	if payload == nil {
		return cut
	}
	decoder := d.acquire()
	decoded, err := decoder.Decode(d.spec(family), payload)
	d.release(decoder)
	c.Command, c.Attributes = decoded.Command, decoded.Attributes
	if cut != nil {
		return cut // which explains err
	}
	return err
}

// acquire returns a decoder that no other goroutine uses.
func (d *Decoder) acquire() *ynl.Decoder {
	d.mu.Lock()
	defer d.mu.Unlock()
	last := len(d.idle) - 1
	if last < 0 {
		return new(ynl.Decoder)
	}
	decoder := d.idle[last]
	d.idle = d.idle[:last]
	return decoder
}

func (d *Decoder) release(decoder *ynl.Decoder) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.idle = append(d.idle, decoder)
}

func (d *Decoder) spec(family string) *ynl.Spec {
	if d.SpecOf == nil {
		return nil
	}
	return d.SpecOf(family)
}

// AppendJSON appends one line of JSON without the newline: the event as sinks write it,
// or, if the record cannot be decoded, the error and the bytes of the record in base64.
// In either form the result is safe to print on a terminal. journalID is the journal that
// numbered the record; a dead letter may be from an earlier journal than the decoder's.
func (d *Decoder) AppendJSON(line []byte, journalID string, r journal.Record) ([]byte, error) {
	e, err := d.decode(r)
	e.SetJournal(journalID)
	if err == nil {
		return e.AppendJSON(line), nil
	}
	text, err := json.Marshal(struct {
		ID     string    `json:"id"`
		Seq    uint64    `json:"seq"`
		Time   time.Time `json:"time"`
		Error  string    `json:"error"`
		Record []byte    `json:"record_base64"`
	}{e.ID(), e.Seq, e.Time.UTC(), err.Error(), r.Data})
	return append(line, text...), err
}
