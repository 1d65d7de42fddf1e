// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/internal/poll"
)

const (
	loadTestDrain = 20 * time.Millisecond // time that a reload waits for an attempt
	minReloads    = 20                    // minimum number of reloads that fail, and of others
)

// A loadTest is a daemon under load that is reloaded continuously.
type loadTest struct {
	fixture
	load       traffic
	text       *text
	choices    alternatives
	dir        string
	inUse      string // an address that another socket uses
	hook, wide hook
	reads      *collector
	confirms   *collector
	changes    map[string]int // number of changes of each sink
	scrapes    int
}

// TestReloadUnderLoad reloads the daemon under load. Half of the reloads fail. No event may be
// lost, events are repeated only after an aborted attempt, each scrape is consistent, and no
// goroutine or descriptor remains. With GENLTESTD_SOAK=1 the test runs for two minutes.
func TestReloadUnderLoad(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("joining a group of NETLINK_USERSOCK needs root")
	}
	before := currentFootprint(t)
	t.Run("storm", func(t *testing.T) {
		if os.Getenv("GENLTESTD_SOAK") != "" {
			startLoadTest(t).run(t, 10_000, 100*time.Millisecond, 2*time.Minute)
		} else {
			startLoadTest(t).run(t, 2000, 20*time.Millisecond, 3*time.Second)
		}
	})
	before.wantRestored(t)
}

// run sends perSecond events per second and changes the configuration at each interval.
func (s *loadTest) run(t *testing.T, perSecond int, interval, duration time.Duration) {
	stopLoad := s.load.start(t, perSecond)
	poll.Until(t, "the first events", func() bool { return s.load.sent.Load() > 500 })
	stopLoad()
	s.settle(t)
	idle := currentFootprint(t)

	stopLoad, stopScraping := s.load.start(t, perSecond), s.scrape(t)
	random := rand.New(rand.NewPCG(1, 2))
	good, bad := 0, 0
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for end := time.Now().Add(duration); (time.Now().Before(end) || bad < minReloads) && !t.Failed(); <-tick.C {
		if good == bad {
			s.reload(t, s.choices.choose(random.IntN))
			good++
		} else {
			s.failToReload(t, bad, s.choices.choose(random.IntN))
			bad++
		}
	}
	stopLoad()
	s.hook.immediate.Store(true)
	s.wide.immediate.Store(true)
	for _, yaml := range []string{s.choices.withoutTemporarySinks(), s.choices.base()} {
		s.reload(t, yaml)
		text, err := fetchMetrics(s.address())
		if err != nil {
			t.Error(err)
		}
		wantConsistent(t, text, len(s.pipelines.All()))
	}
	s.settle(t)
	stopScraping()
	idle.wantRestored(t)
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	poll.Until(t, "no connection is open", func() bool { return s.hook.open.Load()+s.reads.open.Load()+s.confirms.open.Load() == 0 })
	s.compare(t)
	t.Logf("%d events, %d reloads, %d failed reloads, %d scrapes", s.load.sent.Load(), good, bad, s.scrapes)
	t.Logf("repeated events: hook %d in %d changes, wide %d in %d",
		s.hook.repeated, s.changes["hook"], s.wide.repeated, s.changes["wide"])
}

func startLoadTest(t *testing.T) *loadTest {
	t.Helper()
	dir, err := os.MkdirTemp("", "storm") // t.TempDir's path may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &loadTest{dir: dir, text: &text{}, changes: map[string]int{}}
	s.reads, s.confirms = collect(t, dir+"/reads", false), collect(t, dir+"/confirms", true)
	t.Cleanup(func() { s.reads.stop(); s.confirms.stop() })
	mux := http.NewServeMux()
	mux.Handle("/one", &s.hook)
	mux.Handle("/many", &s.wide)
	server := httptest.NewUnstartedServer(mux)
	server.Config.ConnState = s.hook.connState
	server.Start()
	t.Cleanup(server.Close)
	inUse, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inUse.Close() })
	s.inUse = inUse.Addr().String()
	if s.load.sender, err = genl.NewUserSender(loadTestGroup); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.load.sender.Close() })
	s.choices = loadTestAlternatives(dir, server.URL)
	s.text.set(s.choices.base())
	cfg, err := s.text.Load()
	if err != nil {
		t.Fatal(err)
	}
	s.fixture = launch(t, cfg, Options{Kernel: userKernel{s.load.sender}, Echo: prober{}, Source: s.text})
	if err := os.MkdirAll(s.opts.Dirs.letters(""), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.opts.Dirs.letters("blocked"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *loadTest) attempt(t *testing.T, yaml string) (*api.Reload, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s.text.set(yaml)
	return s.Reload(ctx)
}

func (s *loadTest) reload(t *testing.T, yaml string) {
	t.Helper()
	done, err := s.attempt(t, yaml)
	if err != nil {
		t.Errorf("%v, with:\n%s", err, yaml)
		return
	}
	for _, sink := range done.Changed {
		s.changes[sink]++
	}
}

func (s *loadTest) failToReload(t *testing.T, n int, good string) {
	t.Helper()
	all := s.failures(good)
	c := all[n%len(all)]
	before, using, cursors := s.pipelines.All(), s.reloads.Config(), s.journal.Cursors()
	_, err := s.attempt(t, c.yaml)
	if err == nil || !strings.Contains(err.Error(), c.fault) {
		t.Errorf("%v, want %q, with:\n%s", err, c.fault, c.yaml)
	}
	slices.Sort(cursors)
	after := slices.Sorted(slices.Values(s.journal.Cursors()))
	if !slices.Equal(before, s.pipelines.All()) || using != s.reloads.Config() || !slices.Equal(cursors, after) {
		t.Errorf("%q has changed the daemon", c.fault)
	}
	for _, path := range []string{s.opts.Dirs.letters("new"), s.dir + "/new.1"} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%q has not removed %s", c.fault, path)
		}
	}
}

// address returns the current address of the pages.
func (s *loadTest) address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.web.Bound().Addr()
}

// scrape reads the metrics continuously, also after the address has changed.
func (s *loadTest) scrape(t *testing.T) (stop func()) {
	quit := make(chan struct{})
	var scraping sync.WaitGroup
	last := map[string]float64{}
	scraping.Go(func() {
		for {
			select {
			case <-quit:
				return
			case <-time.After(5 * time.Millisecond):
			}
			address := s.address()
			text, err := fetchMetrics(address)
			if err != nil && address == s.address() {
				t.Errorf("scrape: %v", err)
				return
			}
			if err == nil {
				s.scrapes++
				s.wantMonotonic(t, text, last)
			}
		}
	})
	stop = sync.OnceFunc(func() { close(quit); scraping.Wait() })
	t.Cleanup(stop)
	return stop
}

// fetchMetrics closes its connection.
func fetchMetrics(address string) (string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	resp, err := client.Get("http://" + address + "/metrics")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// wantMonotonic checks that the counters of each sink do not decrease while it is configured.
func (s *loadTest) wantMonotonic(t *testing.T, scrape string, last map[string]float64) {
	for name, m := range sinkSamples(t, scrape) {
		if _, ok := m["events_total"]; !ok && (name == "new" || strings.HasPrefix(name, "guest")) {
			continue // the sink is being added or removed
		}
		wantSum(t, name, m)
		if strings.HasPrefix(name, "guest") {
			continue // its counters start again each time
		}
		if m["events_total"] < last[name] {
			t.Errorf("%s had %v events, and has %v", name, last[name], m["events_total"])
		}
		last[name] = m["events_total"]
	}
}

// settle waits until every sink has all events.
func (s *loadTest) settle(t *testing.T) {
	t.Helper()
	poll.Until(t, "all events are in the journal", func() bool { return s.journal.Stats().Count >= s.load.sent.Load() })
	for _, w := range s.pipelines.All() {
		poll.Until(t, w.Name+" has all events", func() bool { st := w.State(); return st.Waiting+st.InFlight == 0 })
	}
}

// compare compares the events that reached each sink with those that were sent.
func (s *loadTest) compare(t *testing.T) {
	t.Helper()
	sent := s.load.sent.Load()
	all := func(uint64) bool { return true }
	want := func(name string, c *arrivals, wanted func(uint64) bool, maxRuns, maxRepeated int) {
		t.Helper()
		if missing := c.missing(sent, wanted); len(missing) > 0 || c.last > sent {
			t.Errorf("%s: of %d events at least these are missing: %d; the last is %d", name, sent, missing, c.last)
		}
		if c.runs > maxRuns || c.repeated > maxRepeated {
			t.Errorf("%s: %d repeated events in %d runs; at most %d, in %d", name, c.repeated, c.runs, maxRepeated, maxRuns)
		}
	}
	for _, name := range []string{"steady", "wandering", "tuned", "guest0", "guest1", "guest2"} {
		want(name, arrivalsInFiles(t, s.dir, name), all, 0, 0)
	}
	want("picky", arrivalsInFiles(t, s.dir, "picky"), func(n uint64) bool { return n%10 == 0 }, 0, 0)
	const batch = 256 // the largest
	n := s.changes["hook"]
	want("hook", &s.hook.arrivals, all, n, n*batch)
	if len(s.hook.outOfOrder) > 0 {
		t.Errorf("hook: out of order: %q", s.hook.outOfOrder)
	}
	n = 4 * s.changes["wide"]
	want("wide", &s.wide.arrivals, all, n*batch, n*batch)
	stream, _ := arrivalsAtCollectors(t, s.reads, s.confirms)
	n = s.changes["stream"]
	want("stream", stream, all, n*batch, n*batch)
}
