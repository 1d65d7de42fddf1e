// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestABeatIsAsOldAsItsStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b Beat
		check := func(what string, want time.Duration) {
			t.Helper()
			if got := b.Age(); got != want {
				t.Errorf("%s: age %s, want %s", what, got, want)
			}
		}
		check("unused", 0)
		time.Sleep(time.Minute)
		check("still unused", 0)
		b.Mark()
		check("begun", 0)
		time.Sleep(3 * time.Second)
		check("running", 3*time.Second)
		b.Mark()
		time.Sleep(time.Hour)
		check("running again", time.Hour)
		b.Stop()
		check("stopped", 0)
		time.Sleep(time.Second)
		check("still stopped", 0)
		b.Mark()
		time.Sleep(time.Second)
		check("begun after a stop", time.Second)
	})
}

// One goroutine marks, and others look. The race detector finds access without synchronization.
func TestABeatIsSafeForConcurrentUse(t *testing.T) {
	var b Beat
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 1000 {
				if age := b.Age(); age < 0 || age > time.Minute {
					t.Errorf("age %s", age)
				}
			}
		})
	}
	for range 1000 {
		b.Mark()
		b.Stop()
	}
	readers.Wait()
}
