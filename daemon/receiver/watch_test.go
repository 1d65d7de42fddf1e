// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/genltestd/genltestd/metrics"
)

func TestDropsAreCountedAcrossCounterWrap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(first))
		lost := func() float64 {
			return testutil.ToFloat64(f.m.Lost.WithLabelValues(metrics.LostKernelBuffer))
		}
		s := f.kernel.Socket()
		s.Set(func() { s.Dropped = 1<<32 - 2 })
		time.Sleep(2 * watchInterval)
		if lost() != 1<<32-2 {
			t.Errorf("lost = %v", lost())
		}
		s.Set(func() { s.Dropped = 3 }) // five more
		f.stop()
		if lost() != 1<<32+3 {
			t.Errorf("lost = %v, want %v", lost(), float64(1<<32+3))
		}
	})
}

func TestLostNotificationIsCorrected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(first))
		s := f.kernel.Socket()
		f.kernel.Set(func() { f.kernel.IDs = second })
		s.Set(func() { s.Dropped, s.InQueue = 1, 500 })
		time.Sleep(5 * watchInterval)
		if f.Family() != first.ID {
			t.Error("the subscription was changed while the queue may contain events with the old id")
		}
		s.Set(func() { s.InQueue = 0 })
		time.Sleep(3 * watchInterval)
		f.send(unnumbered(35, "a"))
		f.want(t, "1 lost: kernel_buffer 0-0", "a")
		f.stop()
	})
}
