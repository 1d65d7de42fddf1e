// SPDX-License-Identifier: Apache-2.0

package reception

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/echo"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/receiver"
	"github.com/genltestd/genltestd/internal/fakekernel"
	"github.com/genltestd/genltestd/internal/kernelmsg"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/syncbuffer"
)

type fakeKernel = fakekernel.Kernel[receiver.Socket]

var _ Kernel = (*fakeKernel)(nil)

// The families of the tests: alpha has two groups, beta and gamma have one each.
const (
	alphaID = 40 + iota
	betaID
	gammaID
)

const buffer = 1 << 20

func family(name string, groups ...string) Family {
	return Family{genl.Target{Family: name, Groups: groups}, buffer}
}

var genltest = Family{genl.Genltest, buffer}

func newKernel() *fakeKernel {
	return &fakeKernel{Queue: 1000, IDs: fakekernel.GenltestIDs(kernelmsg.Family, 9), Others: map[string]genl.FamilyIDs{
		"alpha": fakekernel.IDs(alphaID, 50, "a1", "a2"),
		"beta":  fakekernel.IDs(betaID, 60, "b"),
		"gamma": fakekernel.IDs(gammaID, 70, "c"),
	}}
}

// recorder is a journal in memory. It stores the texts of events by family.
type recorder struct {
	mu         sync.Mutex
	texts      map[string][]string
	generation uint64
	recovered  uint64
	err        error // of Append
}

var errFull = errors.New("the disk is full")

func (j *recorder) Append(generation *atomic.Uint64, _ time.Time, records [][]byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	j.generation++
	generation.Store(j.generation)
	for _, r := range records {
		if genl.IsGap(r) {
			gap, err := genl.DecodeGap(r)
			if err != nil {
				return err
			}
			j.texts[gap.Family] = append(j.texts[gap.Family], fmt.Sprintf("%d lost", gap.Count))
			continue
		}
		name, data := genl.FamilyName, r
		if genl.IsMulticast(r) {
			m, err := genl.DecodeMulticast(r)
			if err != nil {
				return err
			}
			name, data = m.Family, m.Message
		}
		fields, err := genl.Decode(data)
		if err != nil {
			return err
		}
		j.texts[name] = append(j.texts[name], string(fields.Message))
	}
	return nil
}

func (j *recorder) Recovered() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.recovered
}

func (j *recorder) Tail(func([]byte) bool) error { return nil }

func (j *recorder) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = err
}

func (j *recorder) of(family string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.texts[family])
}

// noState ignores the state of files.
type noState struct{}

func (noState) Set(string, error)     {}
func (noState) Damaged(string, error) {}

type prober struct{}

func (prober) Probe(context.Context) (string, error) { return "Hello", nil }
func (prober) Close() error                          { return nil }

// A rig is the surroundings of a Set, which outlive it.
type rig struct {
	*Set
	dir     string
	kernel  *fakeKernel
	journal *recorder
	metrics *prometheus.Registry
	log     *syncbuffer.Buffer
	stop    func()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return &rig{dir: t.TempDir(), kernel: newKernel(), journal: &recorder{texts: map[string][]string{}}, log: &syncbuffer.Buffer{}}
}

// open opens a set as a new process does.
func (r *rig) open(t *testing.T, families ...Family) {
	t.Helper()
	r.journal.recovered = r.journal.generation
	var err error
	if r.Set, err = Open(families, r.options(t)); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) options(t *testing.T) Options {
	t.Helper()
	r.metrics = prometheus.NewRegistry()
	return Options{
		Kernel: r.kernel, Journal: r.journal, Inboxes: Inboxes(r.dir), Registry: r.metrics, State: noState{},
		Echo: echo.Config{Interval: time.Hour, Timeout: time.Second}, Prober: prober{}, OnChange: func() {},
		Log: slog.New(slog.NewTextHandler(r.log, nil)),
	}
}

// start opens a set and runs it until the test ends, or stop is called.
func start(t *testing.T, families ...Family) *rig {
	t.Helper()
	r := newRig(t)
	r.open(t, families...)
	r.run(t)
	return r
}

func (r *rig) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r.Start(ctx, func(err error) { t.Errorf("a receiver failed: %v", err) })
	set := r.Set
	r.stop = sync.OnceFunc(func() {
		cancel()
		set.Wait()
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
}

// reload applies a new list of families.
func (r *rig) reload(t *testing.T, families ...Family) {
	t.Helper()
	plan, err := r.Plan(families)
	if err != nil {
		t.Fatal(err)
	}
	plan.Apply()
}

// send multicasts an event to the first group of a family.
func (r *rig) send(t *testing.T, family, text string) {
	t.Helper()
	ids := r.kernel.Others[family]
	if family == genl.FamilyName {
		ids = r.kernel.IDs
	}
	r.kernel.SocketOf(family).Send(genl.Message{Data: kernelmsg.EventOf(ids.ID, kernelmsg.Text(text)), Group: ids.Groups[0].ID})
}

// awaitEvents waits until the journal contains these events of a family, and no others.
func (r *rig) awaitEvents(t *testing.T, family string, want ...string) {
	t.Helper()
	poll.Until(t, "events of "+family, func() bool { return len(r.journal.of(family)) >= len(want) })
	if got := r.journal.of(family); !slices.Equal(got, want) {
		t.Errorf("events of %s: got %q, want %q", family, got, want)
	}
}

// awaitRemoval waits until everything of a removed family is removed.
func (r *rig) awaitRemoval(t *testing.T, family string) {
	t.Helper()
	poll.Until(t, "the removal of "+family, func() bool { return !r.isLeaving(family) })
}

// hasInbox reports whether a family has an inbox.
func (r *rig) hasInbox(family string) bool {
	_, err := os.Stat(r.Inboxes.file(genl.Target{Family: family}))
	return err == nil
}

// eachSeries calls visit for each series of the metrics.
func (r *rig) eachSeries(t *testing.T, visit func(metric string, labels map[string]string, value float64)) {
	t.Helper()
	all, err := r.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		for _, m := range f.Metric {
			labels := map[string]string{}
			for _, l := range m.Label {
				labels[l.GetName()] = l.GetValue()
			}
			visit(f.GetName(), labels, m.GetCounter().GetValue()+m.GetGauge().GetValue())
		}
	}
}

// metricFamilies returns the families that the metrics contain.
func (r *rig) metricFamilies(t *testing.T) []string {
	t.Helper()
	names := map[string]bool{}
	r.eachSeries(t, func(_ string, labels map[string]string, _ float64) { names[labels["family"]] = true })
	return slices.Sorted(maps.Keys(names))
}

// number returns the sum of the series of a metric that have all these label values.
func (r *rig) number(t *testing.T, metric string, values ...string) (sum float64) {
	t.Helper()
	r.eachSeries(t, func(name string, labels map[string]string, value float64) {
		has := slices.Collect(maps.Values(labels))
		isOther := func(v string) bool { return !slices.Contains(has, v) }
		if name == metric && !slices.ContainsFunc(values, isOther) {
			sum += value
		}
	})
	return sum
}
