// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/metrics"
)

func TestEventsRemovedByJournalLimitAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{answer: func([]event.Event) (int, error) { return 0, errDown }}
		f := start(t, open(t, 1<<20), nil, s)
		big := make([]byte, 8000)
		const events = 1000
		for range events {
			f.appendBatch(t, big)
		}
		s.answers(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		got := f.State()
		dropped := got.Dropped[metrics.DroppedJournal]
		if dropped == 0 || got.Delivered+dropped != events || got.Events != events {
			t.Errorf("account %+v, want delivered + dropped = %d", got, events)
		}
		f.stop()
		f.end(t)
	})
}

// One event per second is appended during an outage. Afterwards the sink receives those of the
// last minute, and all others are counted exactly.
func TestEventsAboveMaxAgeAreDroppedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{answer: func([]event.Event) (int, error) { return 0, errDown }}
		f := start(t, open(t, 0), func(c *Config) { c.Options.MaxAge = time.Minute }, s)
		for range 1000 {
			f.append(t, 1)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if got := f.State(); got.InFlight+got.Waiting > 120 || got.Delivered != 0 {
			t.Errorf("account during the outage %+v", got)
		}
		s.answers(nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		got := f.State()
		dropped := got.Dropped[metrics.DroppedAge]
		if got.Delivered < 45 || got.Delivered > 65 || got.Delivered+dropped != 1000 || got.Events != 1000 {
			t.Errorf("account %+v", got)
		}
		f.stop()
		f.end(t)
		wantAccepted(t, s, numbers(1001-int(got.Delivered), 1000))
	})
}

func TestEventsAboveMaxLagAreDroppedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{answer: func([]event.Event) (int, error) { return 0, errDown }}
		const limit = 100 << 10
		f := start(t, open(t, 0), func(c *Config) { c.Options.MaxLagBytes = limit }, s)
		text := make([]byte, 1000)
		for range 1000 {
			f.appendBatch(t, text)
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := f.State(); got.LagBytes > limit {
			t.Errorf("a lag of %d bytes, at most %d", got.LagBytes, limit)
		}
		s.answers(nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		got := f.State()
		dropped := got.Dropped[metrics.DroppedLag]
		if got.Delivered < 50 || got.Delivered > 110 || got.Delivered+dropped != 1000 || got.Events != 1000 {
			t.Errorf("account %+v", got)
		}
		f.stop()
		f.end(t)
		wantAccepted(t, s, numbers(1001-int(got.Delivered), 1000))
	})
}
