// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/internal/faultproxy"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/realserver"
	"github.com/genltestd/genltestd/packaging/brokers/feed"
)

// A load is the events of a scenario. Without a number of events it lasts until finish, so that it is
// never over before a fault begins.
type load struct {
	events  int
	rate    int // per second, if events is not 0
	waiting int // events without an outcome, if events is 0
}

// A session is one scenario: a broker behind proxies, and a process that delivers to it.
type session struct {
	*testing.T
	kind    *kind
	broker  broker
	proxies []*faultproxy.Proxy
	random  *rand.Rand
	load    load
	dir     string // of the process
	feed    *realserver.Server

	kills    int  // of the process
	failures int  // attempts that failed in earlier processes
	kill     int  // the process is killed once in about this number of steps; 0: never
	drops    bool // events may be dropped
	refuses  bool // marked events are refused permanently
}

// newSession starts the broker and the process. The seed is logged, and that of an earlier run is
// used again if GENLTESTD_SEED is set.
func newSession(t *testing.T, k *kind, l load, a access, c clientAccess) *session {
	t.Helper()
	s := &session{T: t, kind: k, load: l, dir: t.TempDir(), kill: 3}
	seed := seed(t)
	s.random = rand.New(rand.NewPCG(seed, 0))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("run this again with GENLTESTD_SEED=%d", seed)
		}
	})
	s.broker = k.start(t, a)
	var addresses []string
	for _, address := range s.broker.addresses() {
		p := faultproxy.New(t, address)
		s.proxies = append(s.proxies, p)
		addresses = append(addresses, p.Addr())
	}
	s.start(s.broker.sink(addresses, c))
	return s
}

func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("GENLTESTD_SEED")
	if text == "" {
		return rand.Uint64()
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// start starts the process with a configuration that has this sink.
func (s *session) start(sink string) {
	s.Helper()
	config := "sinks:\n- name: broker\n  retry_min: 20ms\n  retry_max: 500ms\n" + indent(s.kind.keys) + indent(sink)
	file := filepath.Join(s.dir, "genltestd.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		s.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		s.Fatal(err)
	}
	s.feed = realserver.Start(s.T, realserver.Spec{
		Program: self, Env: []string{feedVariable + "=1"},
		Args: []string{
			"-dir", s.dir, "-config", file, "-events", fmt.Sprint(s.load.events), "-rate", fmt.Sprint(s.load.rate),
			"-waiting", fmt.Sprint(s.load.waiting),
		},
	})
}

func indent(yaml string) string {
	if yaml = strings.TrimRight(yaml, "\n"); yaml == "" {
		return ""
	}
	return "  " + strings.ReplaceAll(yaml, "\n", "\n  ") + "\n"
}

// counters returns those of the running process.
func (s *session) counters() feed.Counters {
	s.Helper()
	c, err := feed.Read(s.dir)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// settled returns how many events have an outcome.
func (s *session) settled() int {
	c := s.counters()
	return int(c.Journaled - c.Undelivered)
}

// restartFeed kills the process and starts it again.
func (s *session) restartFeed() {
	s.Helper()
	s.feed.Kill()
	s.kills++
	s.failures += int(s.counters().Failures)
	s.feed.Restart()
	s.awaitFeed()
}

// awaitFeed waits until the process that was started last has written its counters.
func (s *session) awaitFeed() {
	s.Helper()
	poll.Until(s, "the process has opened the journal", func() bool { return s.counters().Pid == s.feed.Pid() || s.ended() })
}

// ended reports whether the process has ended, which it does when everything is delivered.
func (s *session) ended() bool { return !s.feed.Running() }

// progress waits until n more events have an outcome, and kills the process at random meanwhile.
func (s *session) progress(n int) {
	s.Helper()
	s.awaitFeed()
	for goal := s.settled() + n; s.settled() < goal && !s.ended(); {
		next := min(goal, s.settled()+1+s.random.IntN(n))
		poll.UntilNil(s, "events are delivered", func() error {
			if s.settled() >= next || s.ended() {
				return nil
			}
			c := s.counters()
			return fmt.Errorf("%d of %d events, %d failed attempts, %s", s.settled(), next, c.Failures, c.Error)
		})
		s.killAtRandom()
	}
}

// progressWithin waits until n more events have an outcome, at most for limit, and kills the process
// at random before. It reports whether they have one.
func (s *session) progressWithin(n int, limit time.Duration) bool {
	s.Helper()
	s.killAtRandom()
	for goal, end := s.settled()+n, time.Now().Add(limit); s.settled() < goal && !s.ended(); {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
	return true
}

// killAtRandom kills the process and starts it again once in s.kill calls.
func (s *session) killAtRandom() {
	s.Helper()
	if s.kill > 0 && s.random.IntN(s.kill) == 0 && !s.ended() {
		s.restartFeed()
	}
}

// awaitFailure waits until an attempt has failed that began after the call, perhaps of a process
// that is killed meanwhile.
func (s *session) awaitFailure() {
	s.Helper()
	s.killAtRandom()
	before := s.counters().Failures
	poll.Until(s, "an attempt fails", func() bool {
		if s.ended() {
			s.Fatalf("the process has ended:\n%s", s.feed.Log())
		}
		return s.counters().Failures > before
	})
}

// finish waits until everything is delivered, and compares the broker with the journal.
func (s *session) finish() {
	s.Helper()
	began := time.Now()
	if err := feed.End(s.dir); err != nil {
		s.Fatal(err)
	}
	for !s.ended() {
		s.progress(1 + s.load.events/4 + s.load.waiting/2)
	}
	c := s.counters()
	if !c.Done || c.DeadLettered > 0 && !s.refuses || c.Dropped > 0 && !s.drops {
		s.Fatalf("the process has ended: %+v\n%s", c, s.feed.Log())
	}
	interruptions := s.kills + s.failures + int(c.Failures)
	s.check(interruptions, int(c.Dropped))
	s.Logf("%d interruptions, %d kills of the process; the rest lasted %v", interruptions, s.kills, time.Since(began))
}
