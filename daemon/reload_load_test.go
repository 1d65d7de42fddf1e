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
)

const (
	stormDrain   = 20 * time.Millisecond // how long a reload waits for an attempt
	leastReloads = 20                    // that fail, and as many that do not, on any machine
)

// A storm is a daemon under load that is reloaded all the time.
type storm struct {
	fixture
	load       traffic
	text       *text
	choices    alternatives
	dir        string
	taken      string // an address that another has
	hook, wide hook
	reads      *collector
	confirms   *collector
	changes    map[string]int // of each sink, how often
	scrapes    int
}

// TestReloadUnderLoad: nothing is lost, nothing comes twice but what an attempt explains
// that was aborted, each scrape adds up, and nothing is left behind; with half of the
// reloads failing. GENLTESTD_SOAK=1 has it last for two minutes.
func TestReloadUnderLoad(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("joining a group of NETLINK_USERSOCK needs root")
	}
	before := look(t)
	t.Run("storm", func(t *testing.T) {
		if os.Getenv("GENLTESTD_SOAK") != "" {
			startStorm(t).rage(t, 10_000, 100*time.Millisecond, 2*time.Minute)
		} else {
			startStorm(t).rage(t, 2000, 20*time.Millisecond, 3*time.Second)
		}
	})
	before.wantAgain(t)
}

// rage has events come and the configuration change, each so often, for so long.
func (s *storm) rage(t *testing.T, perSecond int, interval, lasts time.Duration) {
	stopLoad := s.load.start(t, perSecond)
	eventually(t, "the first events", func() bool { return s.load.sent.Load() > 500 })
	stopLoad()
	s.settle(t)
	calm := look(t)

	stopLoad, stopScraping := s.load.start(t, perSecond), s.scrape(t)
	random := rand.New(rand.NewPCG(1, 2))
	good, bad := 0, 0
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for end := time.Now().Add(lasts); (time.Now().Before(end) || bad < leastReloads) && !t.Failed(); <-tick.C {
		if good == bad {
			s.reload(t, s.choices.choose(random.IntN))
			good++
		} else {
			s.failToReload(t, bad, s.choices.choose(random.IntN))
			bad++
		}
	}
	stopLoad()
	s.hook.calm.Store(true)
	s.wide.calm.Store(true)
	for _, yaml := range []string{s.choices.withoutGuests(), s.choices.base()} {
		s.reload(t, yaml)
		text, err := fetchMetrics(s.address())
		if err != nil {
			t.Error(err)
		}
		wantWhole(t, text, len(s.pipelines.All()))
	}
	s.settle(t)
	stopScraping()
	calm.wantAgain(t)
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	eventually(t, "no connection is open", func() bool { return s.hook.open.Load()+s.reads.open.Load()+s.confirms.open.Load() == 0 })
	s.judge(t)
	t.Logf("%d events, %d reloads and %d that failed, %d scrapes; again: hook %d in %d changes, wide %d in %d", s.load.sent.Load(), good, bad, s.scrapes,
		s.hook.again, s.changes["hook"], s.wide.again, s.changes["wide"])
}

func startStorm(t *testing.T) *storm {
	t.Helper()
	dir, err := os.MkdirTemp("", "storm") // t.TempDir's path may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &storm{dir: dir, text: &text{}, changes: map[string]int{}}
	s.reads, s.confirms = collect(t, dir+"/reads", false), collect(t, dir+"/confirms", true)
	t.Cleanup(func() { s.reads.stop(); s.confirms.stop() })
	mux := http.NewServeMux()
	mux.Handle("/one", &s.hook)
	mux.Handle("/many", &s.wide)
	server := httptest.NewUnstartedServer(mux)
	server.Config.ConnState = s.hook.connState
	server.Start()
	t.Cleanup(server.Close)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	s.taken = taken.Addr().String()
	if s.load.sender, err = genl.NewUserSender(stormGroup); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.load.sender.Close() })
	s.choices = stormAlternatives(dir, server.URL)
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

func (s *storm) attempt(t *testing.T, yaml string) (*api.Reload, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s.text.set(yaml)
	return s.Reload(ctx)
}

func (s *storm) reload(t *testing.T, yaml string) {
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

func (s *storm) failToReload(t *testing.T, n int, good string) {
	t.Helper()
	all := s.failures(good)
	c := all[n%len(all)]
	before, using, cursors := s.pipelines.All(), s.reloads.Config(), s.journal.Cursors()
	_, err := s.attempt(t, c.yaml)
	if err == nil || !strings.Contains(err.Error(), c.fault) {
		t.Errorf("%v, want %q, with:\n%s", err, c.fault, c.yaml)
	}
	slices.Sort(cursors)
	if !slices.Equal(before, s.pipelines.All()) || using != s.reloads.Config() || !slices.Equal(cursors, slices.Sorted(slices.Values(s.journal.Cursors()))) {
		t.Errorf("%q has changed something", c.fault)
	}
	for _, path := range []string{s.opts.Dirs.letters("new"), s.dir + "/new.1"} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%q has left %s behind", c.fault, path)
		}
	}
}

// address is where the pages are now.
func (s *storm) address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.web.Bound().Addr()
}

// scrape reads the metrics all the time, wherever they are.
func (s *storm) scrape(t *testing.T) (stop func()) {
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
				s.wantNoStepBack(t, text, last)
			}
		}
	})
	stop = sync.OnceFunc(func() { close(quit); scraping.Wait() })
	t.Cleanup(stop)
	return stop
}

// fetchMetrics leaves no connection behind.
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

// wantNoStepBack checks the account of each sink, which goes on as long as it stays.
func (s *storm) wantNoStepBack(t *testing.T, scrape string, last map[string]float64) {
	for name, m := range sinkSamples(t, scrape) {
		if _, ok := m["events_total"]; !ok && (name == "new" || strings.HasPrefix(name, "guest")) {
			continue // it comes or goes at this moment
		}
		wantSum(t, name, m)
		if strings.HasPrefix(name, "guest") {
			continue // it begins anew each time
		}
		if m["events_total"] < last[name] {
			t.Errorf("%s had %v events, and has %v", name, last[name], m["events_total"])
		}
		last[name] = m["events_total"]
	}
}

// settle waits until every sink has everything.
func (s *storm) settle(t *testing.T) {
	t.Helper()
	eventually(t, "all events are in the journal", func() bool { return s.journal.Stats().Count >= s.load.sent.Load() })
	for _, w := range s.pipelines.All() {
		eventually(t, w.Name+" has everything", func() bool { st := w.State(); return st.Waiting+st.InFlight == 0 })
	}
}

// judge compares what came to each sink with what was sent.
func (s *storm) judge(t *testing.T) {
	t.Helper()
	sent := s.load.sent.Load()
	all := func(uint64) bool { return true }
	want := func(name string, c *catch, wanted func(uint64) bool, mostRuns, mostAgain int) {
		t.Helper()
		if missing := c.missing(sent, wanted); len(missing) > 0 || c.last > sent {
			t.Errorf("%s: of %d events these are missing, and others: %d; the last is %d", name, sent, missing, c.last)
		}
		if c.runs > mostRuns || c.again > mostAgain {
			t.Errorf("%s: %d events came again, in %d places; at most %d, in %d", name, c.again, c.runs, mostAgain, mostRuns)
		}
	}
	for _, name := range []string{"steady", "wandering", "tuned", "guest0", "guest1", "guest2"} {
		want(name, caughtInFiles(t, s.dir, name), all, 0, 0)
	}
	want("picky", caughtInFiles(t, s.dir, "picky"), func(n uint64) bool { return n%10 == 0 }, 0, 0)
	batch := 256 // the greatest
	n := s.changes["hook"]
	want("hook", &s.hook.catch, all, n, n*batch)
	if len(s.hook.strange) > 0 {
		t.Errorf("hook: out of order: %q", s.hook.strange)
	}
	n = 4 * s.changes["wide"]
	want("wide", &s.wide.catch, all, n*batch, n*batch)
	stream, _ := caughtByCollectors(t, s.reads, s.confirms)
	n = s.changes["stream"]
	want("stream", stream, all, n*batch, n*batch)
}
