// SPDX-License-Identifier: Apache-2.0

// Package record decodes the records of the journal into events, and dumps a journal as
// lines of JSON. The journal stores bytes only; this package knows that they are messages
// of the kernel or gaps.
package record

import (
	"encoding/json"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/journal"
)

// A Decoder decodes the records of one journal. Its methods are safe for concurrent use
// if OriginOf is.
type Decoder struct {
	JournalID string

	// OriginOf returns the origin and the host of the event with that number.
	OriginOf func(seq uint64) (o *event.Origin, host string)
}

// Decode returns the event of a record. If the record cannot be decoded, the event has
// only its number, its time and its origin.
func (d *Decoder) Decode(r journal.Record) (event.Event, error) {
	e := event.Event{JournalID: d.JournalID, Seq: r.Seq, Time: r.Time, Family: genl.FamilyName, Group: genl.GroupName}
	e.Origin, e.Host = d.OriginOf(r.Seq)
	if genl.IsGap(r.Data) {
		gap, err := genl.DecodeGap(r.Data)
		e.Gap = &event.Gap{
			Count: gap.Count, Reason: gap.Reason, From: gap.From, To: gap.To, LoadID: gap.LoadID, First: gap.First, Last: gap.Last,
		}
		return e, err
	}
	fields, err := genl.Decode(r.Data)
	e.KernelTime, e.KernelSeq, e.LoadID, e.Message = fields.KernelTime, fields.KernelSeq, fields.LoadID, fields.Message
	return e, err
}

// AppendJSON appends one line of JSON without the newline: the event as sinks write it,
// or, if the record cannot be decoded, the error and the bytes of the record in base64.
// In either form the result is safe to print on a terminal. journalID is the journal that
// numbered the record; a dead letter may be from an earlier journal than the decoder's.
func (d *Decoder) AppendJSON(line []byte, journalID string, r journal.Record) ([]byte, error) {
	e, err := d.Decode(r)
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
