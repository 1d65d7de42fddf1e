// SPDX-License-Identifier: Apache-2.0

// Package origin stores on which host and in which boot an event was received, so that the
// event shows both when it is delivered later.
//
// A small file has a line for each boot and host name of the events in the journal:
//
//	genltestd-boots journal=6a9155caa46c7dcc crc=8067da25
//	1 0f3fd6f4c1a94d0c8f6f6f0d1b0e7a52 6.1.0-49-amd64 localhost crc=638e41db
//	8160 c1f0fdd2a9f54ffcbd33c49f0a2c1f9b 6.1.0-50-amd64 web-1 crc=f3734b6a
//
// A line contains the number of the first event that it applies to, the id of the boot, the
// kernel release and the host, which is escaped as in a URL. An unknown value is "-". Lines
// of older versions lack the host. The checksum is the CRC-32C of the text before it. A line
// is written before its first event is received.
//
// A damaged line may have contained any number. So the events from the line before it to
// the line after it lack a known boot and host. A damaged file, or one of another journal,
// is renamed, and its valid lines are written to a new file. A file that cannot be read is
// not overwritten, and reading is retried.
//
// Events without a known host permanently get the host of the first process that reads the
// file.
package origin

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/genltestd/genltestd/daemon/statefile"
)

// FileName is the name of the file in the state directory.
const FileName = "boots"

// A Boot identifies one boot of the machine. Unknown fields are empty.
type Boot struct {
	ID      string // as in /proc/sys/kernel/random/boot_id, without dashes
	Release string // kernel release, as in uname(2)
}

// A span is the range of events from first to the next span.
type span struct {
	first uint64
	boot  Boot
	host  string // empty if unknown
}

// maxSpans bounds the file. Spans without events in the journal are removed first.
const maxSpans = 256

// Options are the dependencies of Boots.
type Options struct {
	Files     statefile.Files
	Path      string
	JournalID string
	OnDamage  func(error) // called if the file was damaged; may be nil
}

// Boots map events to the boot and host of their receipt. They are safe for concurrent use.
type Boots struct {
	opts   Options
	oldest uint64 // first event in the journal when it was opened
	opened uint64 // first event that this process can have received

	mu      sync.Mutex
	spans   []span // first is ascending; at least one
	loaded  bool   // the file was read, so it may be written
	unsaved bool   // the file lacks a span
}

// Open reads the boots of a journal. It stores that the events from number next on are received
// in the current boot and on the host. oldest is the first event in the journal.
//
// The Boots can be used even after an error. The error means that a later start may not know
// the current boot; Maintain retries. Call Open before events are received. Events in the
// inbox count as received in this boot, because the inbox is on a tmpfs.
func Open(o Options, oldest, next uint64, current Boot, host string) (*Boots, error) {
	if o.OnDamage == nil {
		o.OnDamage = func(error) {}
	}
	b := &Boots{opts: o, oldest: oldest, opened: next, spans: []span{{next, current, host}}}
	return b, b.Maintain()
}

// Maintain retries to read or write the file after an error.
func (b *Boots) Maintain() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.loaded {
		return b.load()
	}
	if b.unsaved {
		return b.save()
	}
	return nil
}

// load reads the file and appends the spans of this process.
func (b *Boots) load() error {
	text, err := b.opts.Files.Read(b.opts.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	before, damage := parse(text, b.opts.JournalID)
	if damage != nil && err == nil {
		if err := b.opts.Files.SetAside(b.opts.Path); err != nil {
			return errors.Join(damage, err)
		}
		b.opts.OnDamage(fmt.Errorf("%s: %w: the file was renamed to %[1]s.damaged, and its readable lines are kept", b.opts.Path, damage))
	}
	own := b.spans
	var all []span
	for _, s := range before {
		if s.first < b.opened {
			all = add(all, s)
		}
	}
	var last span
	if len(all) > 0 {
		last = all[len(all)-1]
	}
	for _, s := range own {
		all = add(all, s)
	}
	b.spans, b.loaded = prune(pin(all, own[0].host, b.oldest), b.oldest), true
	if err == nil && bytes.Equal(text, encode(b.spans, b.opts.JournalID)) {
		return nil
	}
	b.unsaved = true
	if err := b.save(); err != nil {
		return errors.Join(err, b.unsure(last))
	}
	return nil
}

// unsure handles a file that cannot be written. Its last span would apply to future events.
// If that span has the current boot, its host is kept. Otherwise the file is removed. If
// that fails too, a later process assigns the events to the wrong boot.
func (b *Boots) unsure(last span) error {
	own := &b.spans[len(b.spans)-1]
	if last.boot != own.boot {
		return b.opts.Files.Remove(b.opts.Path)
	}
	if last.host != "" {
		own.host = last.host
	}
	return nil
}

// Note stores that the events from number next on are received on the host. An error changes
// nothing. Call it before the event next is delivered.
func (b *Boots) Note(next uint64, host string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	last := b.spans[len(b.spans)-1]
	if last.host == host {
		return nil
	}
	if !b.loaded {
		return fmt.Errorf("%s: the file was not read yet", b.opts.Path)
	}
	before := b.spans
	b.spans = prune(add(slices.Clone(before), span{next, last.boot, host}), b.oldest)
	if err := b.save(); err != nil {
		b.spans, b.unsaved = before, true
		return err
	}
	return nil
}

// Host returns the host of the events that are received now.
func (b *Boots) Host() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.spans[len(b.spans)-1].host
}

func (b *Boots) save() error {
	err := b.opts.Files.Replace(b.opts.Path, encode(b.spans, b.opts.JournalID))
	b.unsaved = err != nil
	return err
}

// Read reads the boots of a journal without changing the file. It ignores damage.
func Read(o Options) (*Boots, error) {
	b := &Boots{opts: o}
	text, err := o.Files.Read(o.Path)
	if err == nil {
		b.spans, _ = parse(text, o.JournalID) // the readable lines
	}
	return b, err
}

// add appends s and removes the spans that start at or after s.first.
func add(spans []span, s span) []span {
	for len(spans) > 0 && spans[len(spans)-1].first >= s.first {
		spans = spans[:len(spans)-1]
	}
	if n := len(spans); n == 0 || spans[n-1].boot != s.boot || spans[n-1].host != s.host {
		spans = append(spans, s)
	}
	return spans
}

// pin sets the host of the events without a known host, including those before the first span.
func pin(spans []span, host string, oldest uint64) []span {
	if spans[0].first > oldest {
		spans = append([]span{{first: oldest}}, spans...)
	}
	var pinned []span
	for _, s := range spans {
		if s.host == "" {
			s.host = host
		}
		pinned = add(pinned, s)
	}
	return pinned
}

// prune removes the oldest spans beyond maxSpans that lack events in the journal. Others
// stay, because dead letters may be older than the journal.
func prune(spans []span, oldest uint64) []span {
	for len(spans) > maxSpans && spans[1].first <= oldest {
		spans = spans[1:]
	}
	return spans
}
