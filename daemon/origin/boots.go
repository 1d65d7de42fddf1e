// SPDX-License-Identifier: Apache-2.0

// Package origin tells in which boot of the machine an event was received, also
// when it is delivered in a later one.
//
// A small file has a line for each boot of which the journal may hold events:
//
//	genltestd-boots journal=6a9155caa46c7dcc crc=8067da25
//	1 0f3fd6f4c1a94d0c8f6f6f0d1b0e7a52 6.1.0-49-amd64 crc=83f15edc
//	8160 c1f0fdd2a9f54ffcbd33c49f0a2c1f9b 6.1.0-50-amd64 crc=934c883d
//
// with the number of the first event that can be of that boot, the boot's id and the
// kernel's release; a "-" is for what is not known. The checksum is CRC-32C of the
// line before it. It is written before the first event of a boot is received.
//
// A line that is damaged may have been of any number, so nothing is said of the
// events from the line before it to the line behind it. A file of another journal,
// or without its first line, says nothing.
package origin

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
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
}

// Boots are which events were received in which boot. The zero Boots knows nothing.
type Boots struct{ spans []span } // with first rising

// Open reads the boots of a journal from the file at path, and notes there that
// events from the number next on are received in the current boot. It forgets the
// boots that ended before the number oldest.
//
// The Boots are good whether there is an error or not: that says that a later start
// will not know the current boot. Open is to be called before events are received;
// what the inbox still holds counts as of this boot, since the inbox is on a tmpfs.
func Open(path, journalID string, oldest, next uint64, current Boot) (*Boots, error) {
	before, err := os.ReadFile(path)
	b := &Boots{}
	if err == nil {
		b = parse(before, journalID)
	}
	b.add(span{next, current})
	b.forget(oldest)
	after := b.encode(journalID)
	if err == nil && bytes.Equal(before, after) {
		return b, nil
	}
	err = replace(path, after)
	if err != nil {
		// What is there would say that the events to come are of an earlier boot. A
		// directory that lets nothing be removed is beyond help.
		if gone := os.Remove(path); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return b, err
}

// Read reads the boots of a journal, and changes nothing. Damage is no error.
func Read(path, journalID string) (*Boots, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return &Boots{}, err
	}
	return parse(text, journalID), nil
}

// add has the events from s.first on belong to s.boot.
func (b *Boots) add(s span) {
	for len(b.spans) > 0 && b.spans[len(b.spans)-1].first >= s.first {
		b.spans = b.spans[:len(b.spans)-1]
	}
	if n := len(b.spans); n == 0 || b.spans[n-1].boot != s.boot {
		b.spans = append(b.spans, s)
	}
}

func (b *Boots) forget(oldest uint64) {
	for len(b.spans) > 1 && b.spans[1].first <= oldest {
		b.spans = b.spans[1:]
	}
}

const header = "genltestd-boots journal="

func (b *Boots) encode(journalID string) []byte {
	text := appendLine(nil, header+journalID)
	for _, s := range b.spans {
		text = appendLine(text, fmt.Sprintf("%d %s %s", s.first, orDash(s.boot.ID), orDash(s.boot.Release)))
	}
	return text
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendLine(text []byte, line string) []byte {
	return fmt.Appendf(text, "%s crc=%08x\n", line, crc32.Checksum([]byte(line), castagnoli))
}

func parse(text []byte, journalID string) *Boots {
	b := &Boots{}
	lines := strings.SplitAfter(string(text), "\n")
	if line, ok := checked(lines[0]); !ok || line != header+journalID {
		return b
	}
	for _, line := range lines[1:] {
		if line == "" {
			continue // behind the last one
		}
		s, ok := parseSpan(line)
		if n := len(b.spans); n > 0 && (!ok || s.first <= b.spans[n-1].first) {
			b.spans[n-1].boot = Boot{}
		}
		if ok {
			b.add(s)
		}
	}
	return b
}

var spanLine = regexp.MustCompile(`^([0-9]{1,20}) ([0-9a-f]{32}|-) ([!-~]{1,64})$`)

func parseSpan(line string) (span, bool) {
	text, ok := checked(line)
	match := spanLine.FindStringSubmatch(text)
	if !ok || match == nil {
		return span{}, false
	}
	first, err := strconv.ParseUint(match[1], 10, 64)
	return span{first, Boot{orEmpty(match[2]), orEmpty(match[3])}}, err == nil
}

func orEmpty(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// checked returns the line without its checksum and its end.
func checked(line string) (string, bool) {
	text, _, _ := strings.Cut(line, " crc=")
	return text, string(appendLine(nil, text)) == line
}

// replace writes a file whole or not at all, and makes it durable.
func replace(path string, text []byte) error {
	temp := path + ".tmp"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		os.Remove(temp) // if it is there
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
