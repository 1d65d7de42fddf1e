// SPDX-License-Identifier: Apache-2.0

package daemon

import "time"

// A watch notices that the configuration was changed.
type watch struct {
	source  Source
	seen    string // what was read last
	pending string // what was found since, and may be half written
}

// look notes that what is there now is about to be read.
func (w *watch) look() {
	if w.source != nil {
		w.seen, w.pending = w.source.Fingerprint(), ""
	}
}

// after is time.After, and never for 0.
func (w *watch) after(interval time.Duration) <-chan time.Time {
	if w.source == nil || interval == 0 {
		return nil
	}
	return time.After(interval)
}

// changed reports once that something else is there, when it has stayed the same from
// one call to the next.
func (w *watch) changed() bool {
	now := w.source.Fingerprint()
	if now == w.seen || now != w.pending {
		w.pending = now
		return false
	}
	w.look()
	return true
}
