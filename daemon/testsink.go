// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/delivery"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/sink"
)

// testTime is the maximum time for which a request waits for the result of a test.
const testTime = 20 * time.Second

// Test implements control.Sinks.
func (a sinkActions) Test(ctx context.Context, name string) (*api.SinkTest, error) {
	p, err := a.pipeline(name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	e := a.testEvent(name)
	r := p.Test(ctx, &e)
	answer := &api.SinkTest{Sink: name, ID: e.ID(), Seconds: r.Took.Seconds()}
	switch {
	case errors.Is(r.Err, delivery.ErrTesting):
		return nil, conflict("another test of the sink %s is running; try again when it has ended", name)
	case r.Err == nil:
		answer.Outcome = api.TestAccepted
		return answer, nil
	case !r.Attempted:
		answer.Outcome = api.TestNotAttempted
	case sink.Poisoned(r.Err) > 0:
		answer.Outcome = api.TestRefused
	default:
		answer.Outcome = api.TestFailed
	}
	answer.Error = string(event.AppendVisible(nil, r.Err.Error()))
	return answer, nil
}

// testEvent returns a test event with the fields of the next event of the first family, so that
// templates lead it to the same place.
func (a sinkActions) testEvent(name string) event.Event {
	d := a.inspector.Decoder
	e := event.Event{
		JournalID: d.JournalID, Time: a.pipelines.Clock.Now(), Test: &event.Test{Sink: name, Number: rand.Uint64()},
	}
	e.Origin, e.Host = d.OriginOf(a.journal.End().Next)
	if families := a.inspector.Config().Families; len(families) > 0 {
		e.Family, e.Group = families[0].Name, groupOf(&families[0])
	}
	return e
}

// groupOf returns a group of a family, or "" if all groups are configured.
func groupOf(f *config.Family) string {
	switch {
	case f.Name == config.Genltest:
		return genl.GroupName
	case len(f.Groups) > 0:
		return f.Groups[0]
	}
	return ""
}
