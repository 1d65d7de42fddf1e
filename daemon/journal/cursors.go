// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"os"
)

func (j *Journal) allCursors() []*cursor {
	j.mu.Lock()
	defer j.mu.Unlock()
	cursors := make([]*cursor, 0, len(j.cursors))
	for _, c := range j.cursors {
		cursors = append(cursors, c)
	}
	return cursors
}

func (j *Journal) flushCursors(durable bool) error {
	var errs []error
	for _, c := range j.allCursors() {
		if err := c.flush(durable); err != nil {
			errs = append(errs, fmt.Errorf("write cursor %s: %w", c.path, err))
		}
	}
	return errors.Join(errs...)
}

// Cursors returns the names of the cursors in the journal. All of them keep
// records from being removed, also those that no reader has.
func (j *Journal) Cursors() []string {
	cursors := j.allCursors()
	names := make([]string, 0, len(cursors))
	for _, c := range cursors {
		names = append(names, c.name)
	}
	return names
}

// RemoveCursor forgets the cursor of a reader that will not come back.
func (j *Journal) RemoveCursor(name string) error {
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
	j.mu.Lock()
	c := j.cursors[name]
	if c == nil || c.open {
		j.mu.Unlock()
		return fmt.Errorf("journal %s: no cursor %q without a reader", j.dir, name)
	}
	delete(j.cursors, name)
	j.dirDirty = true
	j.mu.Unlock()
	j.work()
	c.release()
	if err := j.fs.Remove(c.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
