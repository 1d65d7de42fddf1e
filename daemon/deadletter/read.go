// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/genltestd/genltestd/daemon/journal"
)

// A location is the number of the record that contains a letter.
type location struct {
	id     ID
	number uint64
}

// IDs returns the ids of the letters, in the order of their events.
func (b *Box) IDs() []ID {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := make([]ID, 0, b.index.live())
	for e := range b.index.all {
		ids = append(ids, b.index.id(e))
	}
	return ids
}

// Has reports whether the letter exists.
func (b *Box) Has(id ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.index.find(id) != nil
}

// Get returns the letters that exist, in the order of ids. All of them are in memory at
// once.
func (b *Box) Get(ids ...ID) ([]Letter, error) {
	b.mu.Lock()
	if err := b.fault; err != nil {
		b.mu.Unlock()
		return nil, err
	}
	var locations []location
	for _, id := range ids {
		if e := b.index.find(id); e != nil {
			locations = append(locations, location{id, e.number})
		}
	}
	b.mu.Unlock()
	return b.fetch(locations)
}

// NextReplay returns the first atMost letters that are marked for replay, in the order of
// their events. They stay marked until Remove or Add.
func (b *Box) NextReplay(atMost int) ([]Letter, error) {
	b.mu.Lock()
	if err := b.fault; err != nil {
		b.mu.Unlock()
		return nil, err
	}
	var locations []location
	if b.index.marked > 0 {
		for e := range b.index.all {
			if len(locations) == atMost {
				break
			}
			if e.marked {
				locations = append(locations, location{b.index.id(e), e.number})
			}
		}
	}
	b.mu.Unlock()
	return b.fetch(locations)
}

// fetch reads letters. It omits and forgets a letter that cannot be read.
func (b *Box) fetch(locations []location) ([]Letter, error) {
	if len(locations) == 0 {
		return nil, nil
	}
	numbers := make([]uint64, len(locations), len(locations)+1)
	for i, w := range locations {
		numbers[i] = w.number
	}
	slices.Sort(numbers)
	found, err := b.readNumbers(numbers)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	letters := make([]Letter, 0, len(locations))
	var missing []location
	for _, w := range locations {
		if l, ok := found[w.number]; ok {
			letters = append(letters, l)
		} else {
			missing = append(missing, w)
		}
	}
	if len(missing) > 0 {
		b.forgetDamaged(missing)
	}
	return letters, nil
}

// readNumbers reads the letters in the records with these ascending numbers.
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

// forgetDamaged forgets letters that could not be read. It ignores letters that were removed
// or added again in the meantime, or that the size limit is removing.
func (b *Box) forgetDamaged(missing []location) {
	b.writeMu.Lock()
	defer b.writeMu.Unlock()
	for _, w := range missing {
		if b.forgetOne(w) {
			b.repeats.Error("a dead letter is damaged and lost", "event", w.id.String(), "directory", b.dir)
		}
	}
}

func (b *Box) forgetOne(w location) bool {
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
