// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/metrics"
)

// scrapeLine is a sample of a sink in the text that Prometheus reads.
var scrapeLine = regexp.MustCompile(`(?m)^genltestd_sink_([a-z_]+)\{([^}]*)\} (\S+)$`)

var sinkLabel = regexp.MustCompile(`sink="([^"]*)"`)

// outcomes are the metrics whose sum is events_total.
var outcomes = []string{
	"events_delivered_total", "events_filtered_total", "events_suppressed_total", "events_dropped_total",
	"events_dead_lettered_total", "events_in_flight", "events_waiting",
}

// sinkSamples sums each metric of each sink over its other labels.
func sinkSamples(t *testing.T, scrape string) map[string]map[string]float64 {
	t.Helper()
	sinks := map[string]map[string]float64{}
	for _, m := range scrapeLine.FindAllStringSubmatch(scrape, -1) {
		label := sinkLabel.FindStringSubmatch(m[2])
		v, err := strconv.ParseFloat(m[3], 64)
		if err != nil || label == nil {
			t.Fatalf("%q: %v", m[0], err)
		}
		if sinks[label[1]] == nil {
			sinks[label[1]] = map[string]float64{}
		}
		sinks[label[1]][m[1]] += v
	}
	return sinks
}

// wantConsistent checks the counters of every sink in one scrape, and returns events_total.
func wantConsistent(t *testing.T, scrape string, sinks int) (total float64) {
	t.Helper()
	samples := sinkSamples(t, scrape)
	if len(samples) != sinks {
		t.Fatalf("%d sinks in the scrape, want %d:\n%s", len(samples), sinks, scrape)
	}
	for name, s := range samples {
		wantSum(t, name, s)
		total = max(total, s["events_total"])
	}
	return total
}

// wantSum checks the counters of one sink.
func wantSum(t *testing.T, name string, s map[string]float64) {
	t.Helper()
	var sum float64
	for _, f := range outcomes {
		if _, ok := s[f]; !ok {
			t.Errorf("sink %s: %s is missing", name, f)
		}
		sum += s[f]
	}
	if sum != s["events_total"] {
		t.Errorf("sink %s: %v events, the outcomes add up to %v: %v", name, s["events_total"], sum, s)
	}
}

// Workers deliver, filter, fail and drop while the counters are read. A second process
// continues with them.
func TestEveryScrapeAccountsForEveryEvent(t *testing.T) {
	dirs := Dirs{State: t.TempDir(), Runtime: t.TempDir()}
	dir := t.TempDir()
	yaml := listenAnywhere + "shutdown: {drain: 0}\nsinks:\n" +
		"- {name: out, stdout: {}}\n" +
		"- {name: steady, batch_wait: 0, file: {path: " + dir + "/steady}}\n" +
		"- {name: flaky, retry_min: 1ms, retry_max: 20ms, file: {path: " + dir + "/flaky/events}}\n" +
		"- {name: picky, filter: 'seq % 3 == 0', sample: 2, file: {path: " + dir + "/picky}}\n" +
		"- {name: dead, max_age: 100ms, file: {path: " + dir + "/missing/events}}\n"
	cfg := parse(t, yaml)
	var journaled uint64
	for range 2 {
		k := newKernel()
		f := launch(t, cfg, Options{Dirs: dirs, Kernel: k, Echo: prober{}})
		f.kernel = k
		before := f.journal.Stats().Count
		var wg sync.WaitGroup
		wg.Go(func() { sendInBursts(f.kernel, filepath.Join(dir, "flaky")) })
		for range 60 {
			_, scrape := f.get(t, "/metrics")
			wantConsistent(t, scrape, 5)
			time.Sleep(5 * time.Millisecond)
		}
		wg.Wait()
		poll.Until(t, "the steady sink has all events", func() bool {
			s := sinkState(t, f, "steady")
			return s.Delivered == f.journal.Stats().Count-before
		})
		if s := sinkState(t, f, "steady"); s.Events != f.journal.Stats().Count-before {
			t.Errorf("events_total is %d for a sink that had accepted all earlier events, want %d", s.Events, f.journal.Stats().Count-before)
		}
		if s := sinkState(t, f, "picky"); s.Filtered == 0 || s.Suppressed["sample"] == 0 {
			t.Errorf("the rules have not rejected any event: %+v", s)
		}
		if err := f.stop(); err != nil {
			t.Fatal(err)
		}
		if n := f.journal.Stats().Count; n <= journaled {
			t.Fatalf("%d events in the journal after %d", n, journaled)
		} else {
			journaled = n
		}
	}
}

func sendInBursts(k *fakeKernel, flaky string) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 40 {
		if i%2 == 0 {
			_ = os.Mkdir(flaky, 0o700) // it may exist
		} else {
			os.RemoveAll(flaky)
		}
		for range random.IntN(200) {
			k.event(fmt.Sprint("event ", strings.Repeat("x", random.IntN(300))))
		}
		time.Sleep(time.Duration(random.IntN(10)) * time.Millisecond)
	}
}

func sinkState(t *testing.T, f fixture, name string) metrics.SinkState {
	t.Helper()
	return f.worker(t, name).State()
}

func (f fixture) worker(t *testing.T, sink string) *pipeline.Pipeline {
	t.Helper()
	w := f.pipelines.Of(sink)
	if w == nil {
		t.Fatalf("no sink %s", sink)
	}
	return w
}
