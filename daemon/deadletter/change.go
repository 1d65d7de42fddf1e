// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"fmt"
	"slices"
)

const (
	chunkBytes = 128 << 10 // approximate size of one append
	chunkNames = 8192      // ids in one record
)

// Add stores letters, and returns nil when they are on disk. It replaces a letter that
// exists and unmarks it. After an error, some of the letters may be stored: add all of them
// again.
func (b *Box) Add(letters ...Letter) error {
	b.writeMu.Lock()
	defer b.writeMu.Unlock()
	if b.journal == nil {
		if err := b.open(); err != nil {
			return err
		}
		b.setFault(nil)
	}
	for len(letters) > 0 {
		n, err := b.addSome(letters)
		if err != nil {
			return fmt.Errorf("dead letters: %w", err)
		}
		letters = letters[n:]
	}
	b.applyLimits()
	return nil
}

// addSome adds as many letters as fit into one append.
func (b *Box) addSome(letters []Letter) (n int, err error) {
	var records [][]byte
	for size := 0; n < len(letters) && size < chunkBytes; n++ {
		l := &letters[n]
		if l.ID.Journal == "" || len(l.ID.Journal) > maxJournalLen {
			return 0, fmt.Errorf("event %d: the journal id must have 1 to %d bytes", l.ID.Seq, maxJournalLen)
		}
		r := encodeLetter(l)
		records, size = append(records, r), size+len(r)
	}
	if err := b.journal.Append(nil, b.opts.Now(), records); err != nil {
		return 0, err
	}
	number := b.journal.Stats().Newest - uint64(n)
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range letters[:n] {
		number++
		b.index.put(letters[i].ID, number, letters[i].Refused)
	}
	return n, nil
}

// Remove removes the letters that exist, and returns their number. On a full disk it works
// if the ids include all letters up to the newest of them, so that a box can always be
// emptied.
func (b *Box) Remove(ids ...ID) (n int, err error) {
	b.writeMu.Lock()
	defer b.writeMu.Unlock()
	if err := b.Fault(); err != nil {
		return 0, err
	}
	ids = b.known(ids)
	if len(ids) == 0 {
		return 0, nil
	}
	// Removing the oldest letters needs no record: the cursor moves past them.
	full := b.appendNames(kindRemoved, ids)
	if full != nil && !b.oldest(ids) {
		return 0, fmt.Errorf("dead letters: %w", full)
	}
	b.mu.Lock()
	b.forget(ids)
	b.mu.Unlock()
	b.applyLimits()
	if full != nil {
		err = b.journal.Sync()
	}
	if err != nil {
		return len(ids), fmt.Errorf("dead letters: %w", err)
	}
	return len(ids), nil
}

// RequestReplay durably marks the letters that exist for NextReplay, and returns their
// number.
func (b *Box) RequestReplay(ids ...ID) (n int, err error) {
	b.writeMu.Lock()
	defer b.writeMu.Unlock()
	if err := b.Fault(); err != nil {
		return 0, err
	}
	ids = b.known(ids)
	if len(ids) == 0 {
		return 0, nil
	}
	if err := b.appendNames(kindMarked, ids); err != nil {
		return 0, fmt.Errorf("dead letters: %w", err)
	}
	b.mu.Lock()
	b.mark(ids)
	b.mu.Unlock()
	b.applyLimits()
	b.opts.OnReplay()
	return len(ids), nil
}

// known returns the ids of existing letters, without duplicates.
func (b *Box) known(ids []ID) (known []ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := make(map[ID]bool, len(ids))
	for _, id := range ids {
		if b.index.find(id) != nil && !seen[id] {
			seen[id] = true
			known = append(known, id)
		}
	}
	return known
}

// oldest reports whether all other letters in the box are newer than these.
func (b *Box) oldest(ids []ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	newest, these := uint64(0), map[uint64]bool{}
	for _, id := range ids {
		number := b.index.find(id).number
		newest, these[number] = max(newest, number), true
	}
	for e := range b.index.all {
		if e.number < newest && !these[e.number] {
			return false
		}
	}
	return true
}

// appendNames writes records of a kind that contain the ids. There are few different
// journals.
func (b *Box) appendNames(kind byte, ids []ID) error {
	for len(ids) > 0 {
		name := ids[0].Journal
		n := slices.IndexFunc(ids, func(id ID) bool { return id.Journal != name })
		if n < 0 {
			n = len(ids)
		}
		n = min(n, chunkNames)
		seqs := make([]uint64, n)
		for i := range seqs {
			seqs[i] = ids[i].Seq
		}
		if err := b.journal.Append(nil, b.opts.Now(), [][]byte{encodeNames(kind, name, seqs)}); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}
