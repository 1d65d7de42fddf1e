// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/genltestd/genltestd/daemon/journal"
)

// A copyOf says which record holds a letter.
type copyOf struct {
	id     ID
	number uint64
}

// IDs returns the letters' ids, in the order of their events.
func (b *Box) IDs() []ID {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := make([]ID, 0, b.index.live())
	for e := range b.index.all {
		ids = append(ids, b.index.id(e))
	}
	return ids
}

// Has reports whether a letter is there.
func (b *Box) Has(id ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.index.find(id) != nil
}

// Get returns those of the letters that are there, in the order of ids. They are
// all in memory at once.
func (b *Box) Get(ids ...ID) ([]Letter, error) {
	b.mu.Lock()
	if err := b.fault; err != nil {
		b.mu.Unlock()
		return nil, err
	}
	var wanted []copyOf
	for _, id := range ids {
		if e := b.index.find(id); e != nil {
			wanted = append(wanted, copyOf{id, e.number})
		}
	}
	b.mu.Unlock()
	return b.fetch(wanted)
}

// NextReplay returns the first letters, in the order of their events, that are
// marked for a replay, at most so many. They stay so until Remove or Add says what
// has become of them.
func (b *Box) NextReplay(atMost int) ([]Letter, error) {
	b.mu.Lock()
	if err := b.fault; err != nil {
		b.mu.Unlock()
		return nil, err
	}
	var wanted []copyOf
	if b.index.marked > 0 {
		for e := range b.index.all {
			if len(wanted) == atMost {
				break
			}
			if e.marked {
				wanted = append(wanted, copyOf{b.index.id(e), e.number})
			}
		}
	}
	b.mu.Unlock()
	return b.fetch(wanted)
}

// fetch reads letters. One that cannot be read is none any more.
func (b *Box) fetch(wanted []copyOf) ([]Letter, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	numbers := make([]uint64, len(wanted), len(wanted)+1)
	for i, w := range wanted {
		numbers[i] = w.number
	}
	slices.Sort(numbers)
	found, err := b.readNumbers(numbers)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	letters := make([]Letter, 0, len(wanted))
	var missing []copyOf
	for _, w := range wanted {
		if l, ok := found[w.number]; ok {
			letters = append(letters, l)
		} else {
			missing = append(missing, w)
		}
	}
	if len(missing) > 0 {
		b.damaged(missing)
	}
	return letters, nil
}

// readNumbers reads the letters that have these numbers, which ascend.
func (b *Box) readNumbers(numbers []uint64) (map[uint64]Letter, error) {
	found := make(map[uint64]Letter, len(numbers))
	err := b.journal.Visit(numbers[0], func(r journal.Record) (next uint64) {
		at, ok := slices.BinarySearch(numbers, r.Seq)
		if ok {
			at++
			if l, ok := readLetter(r.Data); ok {
				found[r.Seq] = l
			}
		}
		if at == len(numbers) {
			return 0
		}
		return numbers[at]
	})
	return found, err
}

func readLetter(data []byte) (l Letter, ok bool) {
	kind, name, rest, err := parseKind(bytes.Clone(data))
	if err != nil || !isLetter(kind) {
		return l, false
	}
	l, err = parseLetter(kind, name, rest)
	return l, err == nil
}

// damaged forgets letters that could not be read, unless they have been removed,
// or added again, since. While a limit is removing some, they are neither.
func (b *Box) damaged(missing []copyOf) {
	b.work.Lock()
	defer b.work.Unlock()
	for _, w := range missing {
		if b.forgetDamaged(w) {
			b.repeats.Error("a dead letter cannot be read back and is lost", "event", w.id.String(), "directory", b.dir)
		}
	}
}

func (b *Box) forgetDamaged(w copyOf) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.index.find(w.id)
	if e == nil || e.number != w.number || w.number < b.journal.Stats().First {
		return false
	}
	b.index.remove(e)
	b.stats.Damaged++
	return true
}
