// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"errors"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A receiver receives each text at once, unless err is set.
type receiver struct {
	text string
	err  error
}

func (r *receiver) ExpectCanary(text string) error {
	if r.err == nil {
		r.text = text
	}
	return r.err
}

func (r *receiver) ReceivedCanary(text string) bool { return r.text == text }

func request(t *testing.T, c *Tracker, names ...string) (text string) {
	t.Helper()
	text, err := c.Request(names)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func want(t *testing.T, c *Tracker, sinks ...Sink) {
	t.Helper()
	if diff := cmp.Diff(sinks, c.Last().Sinks); diff != "" {
		t.Errorf("sinks (-want +got):\n%s", diff)
	}
}

func TestTextsCannotBeGuessed(t *testing.T) {
	c, seen := New(&receiver{}), map[string]bool{}
	for range 100 {
		text := request(t, c)
		if seen[text] || !regexp.MustCompile(`^genltestd canary [0-9a-f]{32}$`).MatchString(text) {
			t.Errorf("text %q", text)
		}
		seen[text] = true
	}
}

func TestTheLatencyOfASinkGrowsUntilItReachesTheCanary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(&receiver{})
		if s := c.Last(); s.Received || !s.Requested.IsZero() || s.Sinks != nil {
			t.Errorf("before the first one: %+v", s)
		}
		first := request(t, c, "a", "b")
		time.Sleep(time.Second)
		want(t, c, Sink{"a", false, time.Second}, Sink{"b", false, time.Second})
		c.Reached("a", first, time.Millisecond)
		c.Reached("a", "genltestd canary 00", time.Hour)
		c.Reached("unknown", first, time.Hour)
		time.Sleep(time.Minute)
		want(t, c, Sink{"a", true, time.Millisecond}, Sink{"b", false, time.Minute + time.Second})

		second := request(t, c, "a", "b")
		time.Sleep(time.Second)
		want(t, c, Sink{"a", false, time.Second}, Sink{"b", false, time.Minute + 2*time.Second})
		c.Reached("b", first, time.Minute+2*time.Second) // it has passed only the first one
		time.Sleep(time.Second)
		want(t, c, Sink{"a", false, 2 * time.Second}, Sink{"b", false, time.Minute + 3*time.Second})
		c.Reached("b", second, 3*time.Second)
		c.Reached("a", second, time.Millisecond)
		want(t, c, Sink{"a", true, time.Millisecond}, Sink{"b", true, 3 * time.Second})
	})
}

func TestRemovedSinksDisappear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(&receiver{})
		text := request(t, c, "a", "b")
		c.Forget("a")
		c.Reached("a", text, time.Second)
		want(t, c, Sink{"b", false, 0})
		time.Sleep(time.Second)
		request(t, c, "a") // a sink of the same name is new
		want(t, c, Sink{"a", false, 0})
	})
}

func TestARefusedRequestChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		c := New(r)
		text := request(t, c, "a")
		c.Reached("a", text, time.Second)
		before := c.Last()
		r.err = errors.New("absent")
		time.Sleep(time.Second)
		if _, err := c.Request([]string{"a", "b"}); !errors.Is(err, r.err) {
			t.Errorf("error %v", err)
		}
		if diff := cmp.Diff(before, c.Last()); diff != "" || !before.Received {
			t.Errorf("received %t, state (-before +after):\n%s", before.Received, diff)
		}
	})
}
