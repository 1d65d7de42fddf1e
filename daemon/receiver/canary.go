// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/genltestd/genltestd/daemon/genl"
)

// canaryTime is how long the receiver expects the event of a canary. An event that waits for the
// journal, or for the next process, does not expire.
const canaryTime = time.Minute

// A canary is the text of the next event that is journaled as a canary. The snapshot contains it,
// so the event remains one if the process ends before it has received or journaled the event.
type canary struct {
	text     string // empty while no event is expected
	until    time.Time
	received string // of the last canary
}

// ExpectCanary makes the next event with this text a canary. It returns an error if the event
// could not arrive, or if another one is expected. The receiver must be that of genltest.
func (r *Receiver) ExpectCanary(text string) error {
	switch err := r.Fault(); {
	case err != nil:
		return err
	case !r.Subscribed():
		return errors.New("the daemon is not subscribed to the family yet; try again")
	}
	if err := r.Blocked(); err != nil {
		return fmt.Errorf("%s: %w", notAccepting, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if left := time.Until(r.canary.until); r.canary.text != "" && left > 0 {
		return fmt.Errorf("the event of another canary is expected; try again in %.0f s", left.Seconds()+1)
	}
	r.canary.text, r.canary.until = text, time.Now().Add(canaryTime)
	r.unsaved = true
	r.saveIfIdle()
	return nil
}

// ReceivedCanary reports whether the event with this text was the last canary.
func (r *Receiver) ReceivedCanary(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.canary.received == text
}

// markCanary replaces the record of the expected event. The caller holds mu.
func (r *Receiver) markCanary() {
	for i, record := range r.records {
		if genl.IsGap(record) {
			continue
		}
		// The first versions of the module do not remove the newline.
		if fields, err := genl.Decode(record); err == nil && string(bytes.TrimSuffix(fields.Message, []byte("\n"))) == r.canary.text {
			r.records[i] = genl.AppendCanary(nil, record)
			r.canary.received, r.canary.text = r.canary.text, ""
			return
		}
	}
}

// expireCanary ends the time of an event that was not triggered. The caller holds mu.
func (r *Receiver) expireCanary() {
	switch {
	case r.canary.text == "":
	case r.Blocked() != nil:
		r.canary.until = time.Now().Add(canaryTime)
	case time.Now().After(r.canary.until):
		r.canary.text = ""
	}
}
