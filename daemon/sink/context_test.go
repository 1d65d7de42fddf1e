// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"context"
	"testing"
	"testing/synctest"
)

func TestReleaseWaitsForAFunctionThatHasStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		proceed, released := make(chan struct{}), false
		release := AfterFunc(ctx, func() { <-proceed })
		cancel()
		go func() {
			release()
			released = true
		}()
		synctest.Wait()
		if released {
			t.Error("released while the function was running")
		}
		close(proceed)
		synctest.Wait()
		if !released {
			t.Error("not released after the function has returned")
		}
	})
}

func TestReleasePreventsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		AfterFunc(ctx, func() { t.Error("called") })()
		cancel()
		synctest.Wait()
	})
}
