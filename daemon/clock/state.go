// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"time"
)

// An epoch is an interval of the timeline without a step of the wall clock.
type epoch struct {
	From    time.Duration `json:"from"`    // on the timeline
	Offset  time.Duration `json:"offset"`  // wall clock, since 1970, minus timeline
	Boot    int           `json:"boot"`    // number of the boot, starting at 1
	Stepped bool          `json:"stepped"` // a step ended it
}

// A state is the content of the file. Durations are in nanoseconds.
type state struct {
	Format int           `json:"format"`
	BootID string        `json:"boot_id"` // boot in which the file was written
	Uptime time.Duration `json:"uptime"`  // uptime of that boot when the file was written
	At     time.Duration `json:"at"`      // position on the timeline at the same moment
	Boot   int           `json:"boot"`    // number of that boot
	Synced *syncPoint    `json:"synced"`  // nil if the wall clock was never synchronised
	Epochs []epoch       `json:"epochs"`  // oldest first, at least one
}

// A syncPoint is the last time at which the wall clock was synchronised.
type syncPoint struct {
	Offset time.Duration `json:"offset"` // offset of its epoch
	Boot   int           `json:"boot"`   // boot of its epoch
}

const (
	format = 1
	// longest and latest prevent overflows of sums.
	longest = time.Duration(math.MaxInt64 / 4)
	latest  = time.Duration(math.MaxInt64 / 2) // in 2116
)

func newState() state { return state{Format: format, Boot: 1} }

func (s *state) last() *epoch { return &s.Epochs[len(s.Epochs)-1] }

// enter starts an epoch at now unless the offset equals that of the last epoch.
func (s *state) enter(now, offset time.Duration) bool {
	if n := len(s.Epochs); n > 0 {
		if (s.Epochs[n-1].Offset - offset).Abs() < tolerance {
			return false
		}
		s.Epochs[n-1].Stepped = true
	}
	s.Epochs = append(s.Epochs, epoch{From: now, Offset: offset, Boot: s.Boot})
	s.prune()
	return true
}

// prune merges the most similar adjacent epochs until at most maxEpochs are left. The result
// has the lower offset of the two, which lowers the ages.
func (s *state) prune() {
	for len(s.Epochs) > maxEpochs {
		best, least := 0, time.Duration(math.MaxInt64)
		for i := range s.Epochs[:len(s.Epochs)-1] {
			a, b := &s.Epochs[i], &s.Epochs[i+1]
			sameShift := a.Boot == b.Boot || s.Synced != nil && b.Boot <= s.Synced.Boot
			if step := (a.Offset - b.Offset).Abs(); sameShift && step < least {
				best, least = i, step
			}
		}
		a, b := s.Epochs[best], s.Epochs[best+1]
		s.Epochs[best] = epoch{From: a.From, Offset: min(a.Offset, b.Offset), Boot: b.Boot, Stepped: b.Stepped}
		s.Epochs = slices.Delete(s.Epochs, best+1, best+2)
	}
}

// followedBy returns s with the epochs of a later process, whose timeline is shifted.
func (s state) followedBy(later state, shift time.Duration, sameBoot bool) state {
	if !sameBoot && len(s.Epochs) > 0 {
		s.Boot++
	}
	for i, e := range later.Epochs {
		e.From, e.Offset, e.Boot = e.From+shift, e.Offset-shift, s.Boot
		if i == 0 && sameBoot && (s.last().Offset-e.Offset).Abs() < tolerance {
			s.last().Stepped = e.Stepped
			continue
		}
		s.Epochs = append(s.Epochs, e)
	}
	s.prune()
	return s
}

// shiftSince moves the later boots forward on the timeline. The gap may consist of several
// pauses of unknown length. All of it is placed before the first boot, where the
// resulting ages are the lowest.
func (s *state) shiftSince(boot int, gap time.Duration) {
	for i := range s.Epochs {
		s.Epochs[i].shiftSince(boot, gap)
	}
}

func (e *epoch) shiftSince(boot int, gap time.Duration) {
	if e.Boot > boot {
		e.From += gap
		e.Offset -= gap
	}
}

// steppedBack reports whether the clock was set back after an epoch.
func (s *state) steppedBack(since *epoch) bool {
	return slices.ContainsFunc(s.Epochs, func(e epoch) bool { return e.From >= since.From && e.Offset < since.Offset })
}

// at implements Clock.At for a time since 1970. now is the current position on the timeline.
func at(epochs []epoch, wall, now time.Duration) time.Duration {
	end, ended := now, true
	for i := len(epochs) - 1; i >= 0; i-- {
		e := &epochs[i]
		ended = ended || e.Stepped
		if t := wall - e.Offset; t >= e.From-slack && (!ended || t <= end+slack) {
			return min(max(t, e.From), end)
		}
		end, ended = e.From, false
	}
	return epochs[0].From
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode returns the content of the file: a line of JSON, and " crc=" with its checksum.
func (s *state) encode() []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // cannot happen: numbers and texts always encode
	}
	return fmt.Appendf(text, " crc=%08x\n", crc32.Checksum(text, castagnoli))
}

var errDamaged = errors.New("the file of the clock is damaged")

// parse parses the result of encode.
func parse(content []byte) (s state, err error) {
	i := bytes.LastIndex(content, []byte(" crc="))
	if i < 0 || string(content[i:]) != fmt.Sprintf(" crc=%08x\n", crc32.Checksum(content[:i], castagnoli)) {
		return state{}, errDamaged
	}
	if err := json.Unmarshal(content[:i], &s); err != nil {
		return state{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if s.Format != format {
		return state{}, fmt.Errorf("%w: it has format %d, this version supports %d", errDamaged, s.Format, format)
	}
	if !s.valid() {
		return state{}, fmt.Errorf("%w: its epochs contradict each other", errDamaged)
	}
	return s, nil
}

// valid reports whether the timeline never decreases.
func (s *state) valid() bool {
	for _, d := range []time.Duration{s.At, s.Uptime} {
		if d < 0 || d > longest {
			return false
		}
	}
	if s.Synced != nil && s.Synced.Offset.Abs() > latest {
		return false
	}
	for _, e := range s.Epochs {
		if e.From < 0 || e.From > longest || e.Offset.Abs() > latest {
			return false
		}
	}
	for i := 1; i < len(s.Epochs); i++ {
		if s.Epochs[i].From < s.Epochs[i-1].From || s.Epochs[i].Boot < s.Epochs[i-1].Boot {
			return false
		}
	}
	n := len(s.Epochs)
	return n > 0 && n <= maxEpochs && s.At >= s.Epochs[n-1].From && s.Boot >= s.Epochs[n-1].Boot
}
