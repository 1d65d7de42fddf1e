// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"bytes"
	"sync"

	"github.com/genltestd/genltestd/daemon/redact"
)

// maxLastWords is the number of bytes of a program's last line in an error.
const maxLastWords = 256

// A tail receives a program's standard error, and keeps its last line.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write keeps the end of the output.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p[max(0, len(p)-2*maxLastWords):]...)
	if over := len(t.text) - 2*maxLastWords; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

// last returns the last line that has text.
func (t *tail) last() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := bytes.TrimSpace(t.text)
	return bytes.Clone(text[bytes.LastIndexByte(text, '\n')+1:])
}

// visible masks the output of a program, and escapes it for terminals and logs.
func visible(text []byte, mask *redact.Mask) string { return mask.Clean(string(text), maxLastWords) }
