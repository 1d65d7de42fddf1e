// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"fmt"

	"github.com/genltestd/genltestd/daemon/journal"
)

// load reads the index from the box's journal.
func (b *Box) load() (err error) {
	if b.reader, err = b.journal.NewReader(cursorName, journal.ReaderOptions{}); err != nil {
		return err
	}
	if err := b.readAll(); err != nil {
		return err
	}
	// The next reader starts at the cursor again.
	if err := b.reader.Close(); err != nil {
		return err
	}
	b.reader, err = b.journal.NewReader(cursorName, journal.ReaderOptions{})
	b.first = b.journal.Stats().First
	return err
}

// readTries exceeds the number of failed reads after which a journal's reader treats a
// range as damaged.
const readTries = 10

func (b *Box) readAll() error {
	records := make([]journal.Record, 256)
	lost := uint64(0)
	for tries := 0; ; {
		n, skipped, err := b.reader.TryRead(records)
		lost += skipped
		if tries++; err != nil && tries > readTries {
			return err
		}
		if n > 0 {
			tries = 0
		} else if err == nil {
			break
		}
		for _, r := range records[:n] {
			b.replay(r)
		}
	}
	if lost > 0 {
		b.opts.OnDamage(fmt.Errorf("%s: %d damaged records were skipped; genltestd journal verify shows where", b.dir, lost))
	}
	return nil
}

// replay applies a stored record to the index.
func (b *Box) replay(r journal.Record) {
	kind, name, rest, err := parseKind(r.Data)
	if err != nil {
		return // its checksum is correct, so a newer version has written it
	}
	if isLetter(kind) {
		if l, err := parseLetter(kind, name, rest); err == nil {
			b.index.put(l.ID, r.Seq, l.Refused)
		}
		return
	}
	seqs, err := parseSeqs(rest)
	if err != nil {
		return // a newer version has written it
	}
	ids := idsOf(name, seqs)
	switch kind {
	case kindRemoved:
		b.forget(ids)
	case kindMarked:
		b.mark(ids)
	}
}

func idsOf(journal string, seqs []uint64) []ID {
	ids := make([]ID, len(seqs))
	for i, seq := range seqs {
		ids[i] = ID{journal, seq}
	}
	return ids
}

// forget removes letters from the index. The caller must hold mu.
func (b *Box) forget(ids []ID) {
	for _, id := range ids {
		if e := b.index.find(id); e != nil {
			b.index.remove(e)
		}
	}
	b.index.compact()
}

// mark marks letters in the index. The caller must hold mu.
func (b *Box) mark(ids []ID) {
	for _, id := range ids {
		if e := b.index.find(id); e != nil {
			b.index.mark(e, true)
		}
	}
}
