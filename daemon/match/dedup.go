// SPDX-License-Identifier: Apache-2.0

package match

import (
	"crypto/sha256"
	"reflect"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Dedup suppresses an event within Window of another event that passed with the same
// Key. The Key is an expression that returns a text; if it is empty or message, the key is
// the text of the event, which includes the attributes. A Window of 0 disables deduplication.
type Dedup struct {
	Window time.Duration
	Key    string
}

// maxKeys limits the memory of a window to about 10 MB. When the limit is reached, the
// oldest keys are removed, and their next event passes.
const maxKeys = 100_000

// A digest identifies a key: its SHA-256 hash, truncated to 128 bits. Two texts with
// the same digest cannot be found, so two events are never confused. A long key needs
// no more memory than a short one.
type digest [16]byte

// A window records which keys passed, and when.
type window struct {
	length time.Duration
	key    *expression // nil if the key is the text
	env    *environments
	text   []byte // of the last event with a Content

	passed map[digest]int64 // nanoseconds of Unix time
	order  []passage        // oldest first
}

type passage struct {
	key digest
	at  int64
}

// newWindow returns nil if deduplication is disabled.
func newWindow(c *Compiler, d Dedup, captures []string) (*window, error) {
	w := &window{length: d.Window, passed: make(map[digest]int64)}
	if d.Key != "" && d.Key != "message" {
		key, err := c.expression("dedup.key", d.Key, captures, reflect.String)
		if err != nil {
			return nil, err
		}
		w.key, w.env = key, newEnvironments(key)
	}
	if d.Window <= 0 {
		return nil, nil
	}
	return w, nil
}

func (w *window) digest(e *event.Event, captures []string) (digest, error) {
	text := e.Message
	if e.Content != nil {
		w.text = e.AppendText(w.text[:0])
		text = w.text
	}
	if w.key != nil {
		value, err := w.key.run(w.env.build(e, captures))
		if err != nil {
			return digest{}, err
		}
		key, _ := value.(string) // the compiler ensures the type
		text = []byte(key)
	}
	sum := sha256.Sum256(text)
	return digest(sum[:16]), nil
}

// repeats reports whether the key passed within the window.
func (w *window) repeats(key digest, now time.Time) bool {
	at, ok := w.passed[key]
	return ok && w.covers(at, now)
}

// covers reports whether the window includes a time. It treats a future time like a
// past one at the same distance: after the clock is set back, the window must not
// extend until the clock reaches that time again.
func (w *window) covers(at int64, now time.Time) bool {
	return time.Duration(now.UnixNano()-at).Abs() < w.length
}

// add records that an event with the key passes, and removes expired keys.
func (w *window) add(key digest, now time.Time) {
	for len(w.order) > 0 && (len(w.order) >= maxKeys || !w.covers(w.order[0].at, now)) {
		if old := w.order[0]; w.passed[old.key] == old.at {
			delete(w.passed, old.key)
		}
		w.order = w.order[1:]
	}
	w.passed[key] = now.UnixNano()
	w.order = append(w.order, passage{key, now.UnixNano()})
}
