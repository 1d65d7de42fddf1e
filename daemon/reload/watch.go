// SPDX-License-Identifier: Apache-2.0

package reload

import "time"

// A watch detects changes of the configuration.
type watch struct {
	source  Source
	seen    string // fingerprint of the configuration that was read last
	pending string // a later fingerprint; its files may be incomplete
}

// look stores the present fingerprint, before the configuration is read.
func (w *watch) look() {
	if w.source != nil {
		w.seen, w.pending = w.source.Fingerprint(), ""
	}
}

// after is time.After, but never fires for 0 or without a source.
func (w *watch) after(interval time.Duration) <-chan time.Time {
	if w.source == nil || interval == 0 {
		return nil
	}
	return time.After(interval)
}

// changed reports a change once, when the fingerprint is the same in two calls.
func (w *watch) changed() bool {
	now := w.source.Fingerprint()
	if now == w.seen || now != w.pending {
		w.pending = now
		return false
	}
	w.look()
	return true
}
