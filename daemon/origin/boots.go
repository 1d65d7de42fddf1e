// SPDX-License-Identifier: Apache-2.0

// Package origin stores on which host and in which boot of the machine an event was
// received, so that the event shows both also when it is delivered later.
//
// A small file has a line for each boot and host name of which the journal may hold events:
//
//	genltestd-boots journal=6a9155caa46c7dcc crc=8067da25
//	1 0f3fd6f4c1a94d0c8f6f6f0d1b0e7a52 6.1.0-49-amd64 localhost crc=638e41db
//	8160 c1f0fdd2a9f54ffcbd33c49f0a2c1f9b 6.1.0-50-amd64 web-1 crc=f3734b6a
//
// with the number of the first event that can be of that boot and host, the boot's id, the
// kernel's release and the host, escaped as in a URL; a "-" is for what is not known. The
// host is missing in lines of older versions. The checksum is CRC-32C of the line before it.
// A line is written before the first event is received to which it applies.
//
// A line that is damaged may have been of any number, so nothing is known of the
// events from the line before it to the line behind it. A damaged file, or one of another
// journal, is set aside and written anew with what is left. One that cannot be read now is
// not written over: it is read later.
//
// An event of which no host is known shows that of the first process that looked, and
// keeps it.
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

// A Boot is one boot of the machine. What is not known is empty.
type Boot struct {
	ID      string // as in /proc/sys/kernel/random/boot_id, without the dashes
	Release string // of the kernel, as in uname(2)
}

// A span is the events from a number on, up to the next span.
type span struct {
	first uint64
	boot  Boot
	host  string // empty when it is not known
}

// maxSpans bounds the file. Spans without events in the journal go first.
const maxSpans = 256

// Options are where the boots are stored.
type Options struct {
	Files     statefile.Files
	Path      string
	JournalID string
	OnDamage  func(error) // called when the file was damaged; nil for nothing
}

// Boots are which events were received in which boot and on which host. They are safe for
// concurrent use.
type Boots struct {
	opts   Options
	oldest uint64 // event in the journal when it was opened
	opened uint64 // first event that this process can have received

	mu      sync.Mutex
	spans   []span // with first rising; at least one
	loaded  bool   // the file was read: it may be written
	unsaved bool   // the file does not have all spans
}

// Open reads the boots of a journal, and notes there that events from the number next on
// are received in the current boot and on that host. oldest is the first event of the
// journal.
//
// The Boots are good whether there is an error or not: that says that a later start
// may not know the current boot, and Maintain tries again. Open is to be called before
// events are received; what the inbox still holds counts as of this boot, since the inbox
// is on a tmpfs.
func Open(o Options, oldest, next uint64, current Boot, host string) (*Boots, error) {
	if o.OnDamage == nil {
		o.OnDamage = func(error) {}
	}
	b := &Boots{opts: o, oldest: oldest, opened: next, spans: []span{{next, current, host}}}
	return b, b.Maintain()
}

// Maintain reads or writes the file if that has failed before.
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

// load reads the file and puts the spans of this process behind those in it.
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
		b.opts.OnDamage(fmt.Errorf("%s: %w: it is now %[1]s.damaged, and what could be read of it is kept", b.opts.Path, damage))
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

// unsure is for a file that cannot be written. What is in it says that the events to come
// are of the span last. The host is kept then, and a file that would name the wrong boot is
// removed; a directory that lets nothing be removed is beyond help.
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

// Note stores that the events from the number next on are received on that host. With an
// error nothing changes. It must be called before the event next is delivered.
func (b *Boots) Note(next uint64, host string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	last := b.spans[len(b.spans)-1]
	if last.host == host {
		return nil
	}
	if !b.loaded {
		return fmt.Errorf("%s: it was not read yet", b.opts.Path)
	}
	before := b.spans
	b.spans = prune(add(slices.Clone(before), span{next, last.boot, host}), b.oldest)
	if err := b.save(); err != nil {
		b.spans, b.unsaved = before, true
		return err
	}
	return nil
}

// Host returns that of the events that are received now.
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

// Read reads the boots of a journal, and changes nothing. Damage is no error.
func Read(o Options) (*Boots, error) {
	b := &Boots{opts: o}
	text, err := o.Files.Read(o.Path)
	if err == nil {
		b.spans, _ = parse(text, o.JournalID) // what is left of it
	}
	return b, err
}

// add has the events from s.first on belong to s.
func add(spans []span, s span) []span {
	for len(spans) > 0 && spans[len(spans)-1].first >= s.first {
		spans = spans[:len(spans)-1]
	}
	if n := len(spans); n == 0 || spans[n-1].boot != s.boot || spans[n-1].host != s.host {
		spans = append(spans, s)
	}
	return spans
}

// pin gives the events whose host is not known that host, also those before the first span.
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

// prune forgets the oldest spans when there are too many: dead letters may be older than
// the journal.
func prune(spans []span, oldest uint64) []span {
	for len(spans) > maxSpans && spans[1].first <= oldest {
		spans = spans[1:]
	}
	return spans
}
