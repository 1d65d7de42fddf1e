// SPDX-License-Identifier: Apache-2.0

package match

import (
	"crypto/sha256"
	"reflect"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Dedup suppresses an event within Window of another that has passed with the
// same Key: an expression that gives text, "message" if it is empty. No Window is
// no deduplication.
type Dedup struct {
	Window time.Duration
	Key    string
}

// maxKeys bounds the memory of a window to about 10 MB. When there are more, the
// oldest are forgotten, and their next event passes.
const maxKeys = 100_000

// A digest stands for a key: SHA-256, cut to 128 bits. Nobody finds two texts with
// the same one, so that no event is taken for another, and a long text costs no
// more memory than a short one.
type digest [16]byte

// A window remembers which keys have passed and when.
type window struct {
	length time.Duration
	key    *expression // nil: the message
	env    *environ

	passed map[digest]int64 // nanoseconds of Unix time
	order  []passage        // as they passed, from the oldest on
}

type passage struct {
	key digest
	at  int64
}

// newWindow returns nil if there is to be none.
func newWindow(c *Compiler, d Dedup, captures []string) (*window, error) {
	w := &window{length: d.Window, passed: make(map[digest]int64)}
	if d.Key != "" && d.Key != "message" {
		key, err := c.expression("dedup.key", d.Key, captures, reflect.String)
		if err != nil {
			return nil, err
		}
		w.key, w.env = key, newEnviron(key)
	}
	if d.Window <= 0 {
		return nil, nil
	}
	return w, nil
}

func (w *window) digest(e *event.Event, captures []string) (digest, error) {
	text := e.Message
	if w.key != nil {
		value, err := w.key.run(w.env.of(e, captures))
		if err != nil {
			return digest{}, err
		}
		key, _ := value.(string) // the compiler has seen to it
		text = []byte(key)
	}
	sum := sha256.Sum256(text)
	return digest(sum[:16]), nil
}

// repeats reports whether the key has passed within the window.
func (w *window) repeats(key digest, now time.Time) bool {
	at, ok := w.passed[key]
	return ok && w.holds(at, now)
}

// holds takes a time that is ahead for one that is as far behind: the clock may
// have been set back, and must not stretch the window to when it gets there again.
func (w *window) holds(at int64, now time.Time) bool {
	return time.Duration(now.UnixNano()-at).Abs() < w.length
}

// pass notes that an event with the key passes, and forgets what is too old.
func (w *window) pass(key digest, now time.Time) {
	for len(w.order) > 0 && (len(w.order) >= maxKeys || !w.holds(w.order[0].at, now)) {
		if old := w.order[0]; w.passed[old.key] == old.at {
			delete(w.passed, old.key)
		}
		w.order = w.order[1:]
	}
	w.passed[key] = now.UnixNano()
	w.order = append(w.order, passage{key, now.UnixNano()})
}
