// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Tail calls visit for each readable record of the newest segment that has
// any, oldest first. The data is valid until visit returns. It reads one segment,
// however many there are, and moves no reader.
func (j *Journal) Tail(visit func(data []byte)) error {
	j.mu.Lock()
	segments := slices.Clone(j.segments)
	j.mu.Unlock()
	for _, s := range slices.Backward(segments) {
		found, err := j.visit(s, visit)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // removed since
			return fmt.Errorf("journal %s: read the newest segment: %w", j.dir, err)
		}
		if found {
			break
		}
	}
	return nil
}

func (j *Journal) visit(s *segment, visit func(data []byte)) (found bool, err error) {
	file, err := j.fs.Open(j.segmentPath(s), unix.O_RDONLY)
	if err != nil {
		return false, err
	}
	defer file.Close() // only read
	size, err := file.Size()
	if err != nil {
		return false, err
	}
	scan := scanner{mark: j.who.mark, lenient: true, damaged: func(int64, int64) {}}
	scan.reset(file, min(segmentHeaderLen, size), size, s.first, ^uint64(0))
	for {
		f, err := scan.next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return found, err
		}
		found = true
		var data []byte
		for rest := f.payload; len(rest) > 0; {
			data, rest = message(rest)
			visit(data)
		}
	}
}
