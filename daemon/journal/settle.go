// SPDX-License-Identifier: Apache-2.0

package journal

import "github.com/genltestd/genltestd/daemon/journal/segment"

// settle decides what comes next. Numbers that the last process may have handed
// out are not used again, even when no trace of their records is left.
func (j *Journal) settle(before *state, known bool, t tail) {
	j.position, j.generation = t.position, t.generation
	clean := known && before.clean && before.next >= t.next
	switch {
	case clean:
		j.position, j.generation = before.position, before.generation
	case known:
		j.next = max(before.reserved+1, t.next, t.name+1)
	case t.name > 0 || len(j.cursors) > 0:
		j.next = max(t.next, t.name+1)
		for _, c := range j.cursors {
			j.next = max(j.next, min(c.at.next, segment.MaxSeq))
		}
		j.next += lostStateStep
	default:
		j.next = max(t.next, 1)
	}
	j.last = t.next - 1
	j.synced = t.synced
	if clean {
		j.last, j.synced = j.next-1, before.synced
	}
	if t.unsure && !clean {
		j.guess()
	}
	for _, c := range j.cursors {
		j.settleCursor(c, t, clean)
	}
	for _, s := range j.segments {
		j.bytes += s.size
	}
}

// missEnds tells of segments that the last process left at the beginning or the end
// and that are not there. How many records that are is counted when a reader comes there.
func (j *Journal) missEnds(before *state) {
	oldest, newest := j.ends()
	if before.oldest > 0 && (oldest == 0 || oldest > before.oldest) {
		j.damage.Missing++
		j.log.Error("segments are missing at the beginning of the journal", "from_number", before.oldest, "first_segment", oldest)
	}
	if before.newest > newest {
		j.damage.Missing++
		j.log.Error("segments are missing at the end of the journal", "last_segment", newest, "newest_was", before.newest)
	}
}

// guess takes the least for the number of records that is possible, when the newest of
// them cannot be read. So none is counted as missing that turns up later.
func (j *Journal) guess() {
	for _, c := range j.cursors {
		if c.usable() && c.at.index != unknownIndex && c.at.next <= j.next {
			j.index = max(j.index, c.at.index)
		}
	}
}

func (j *Journal) settleCursor(c *cursor, t tail, clean bool) {
	switch {
	case !c.usable():
	case c.at.next > j.next:
		j.damage.Cursors++
		j.log.Error("a cursor is beyond the end; its reader begins again with the oldest record", "file", c.path, "cursor", c.at.next, "end", j.next)
		c.broken = true
		c.at = position{}
	case !clean && !t.unsure && c.at.next >= t.next:
		// All that is left was read and lies before it, so nothing is missing there.
		c.at = j.position
	}
}
