// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"time"

	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/metrics"
)

// skipCheck is the interval between checks whether the events have an outcome.
const skipCheck = 10 * time.Millisecond

// Before returns the number of events between the cursor of the sink and a position.
func (p *Pipeline) Before(at journal.Position) uint64 {
	_, ahead := p.Passed(journal.Record{Seq: at.Next, Index: at.Index})
	return ahead
}

// SkipTo makes the sink drop the events before a position that it has not finished. It waits until they
// have an outcome, and reports false if the context ends first; the worker continues then. skipped is the
// number of events that were dropped meanwhile. Others may have been delivered.
func (p *Pipeline) SkipTo(ctx context.Context, at journal.Position) (skipped uint64, done bool) {
	before, last := p.Worker.State().Dropped[metrics.DroppedSkipped], max(at.Next, 1)-1
	p.Skip(last)
	check := time.NewTicker(skipCheck)
	defer check.Stop()
	for {
		done = p.Before(at) == 0 || p.SettledTo(last)
		skipped = p.Worker.State().Dropped[metrics.DroppedSkipped] - before
		if done {
			return skipped, true
		}
		select {
		case <-check.C:
		case <-ctx.Done():
			return skipped, false
		}
	}
}
