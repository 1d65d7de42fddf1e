// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/metrics"
)

// A faultInjector makes the dependencies of a worker return errors.
type faultInjector struct {
	mu                         sync.Mutex
	read, trim, commit, decode error
	add, remove, replay        error // errors of the dead letters
}

func (b *faultInjector) repair() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.read, b.trim, b.commit, b.decode, b.add, b.remove, b.replay = nil, nil, nil, nil, nil, nil, nil
}

func (b *faultInjector) get(err *error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return *err
}

type faultyReader struct {
	Reader
	b *faultInjector
}

func (r faultyReader) Read(ctx context.Context, records []journal.Record) (int, uint64, error) {
	if err := r.b.get(&r.b.read); err != nil {
		return 0, 0, err
	}
	return r.Reader.Read(ctx, records)
}

func (r faultyReader) TryRead(records []journal.Record) (int, uint64, error) {
	if err := r.b.get(&r.b.read); err != nil {
		return 0, 0, err
	}
	return r.Reader.TryRead(records)
}

func (r faultyReader) Trim(maxBytes int64, oldest time.Time) (uint64, error) {
	if err := r.b.get(&r.b.trim); err != nil {
		return 0, err
	}
	return r.Reader.Trim(maxBytes, oldest)
}

// Commit moves the cursor and fails to write it, as the journal's Commit can.
func (r faultyReader) Commit(last journal.Record) error {
	return errors.Join(r.Reader.Commit(last), r.b.get(&r.b.commit))
}

type faultyBox struct {
	*box
	b *faultInjector
}

func (x faultyBox) Add(letters ...deadletter.Letter) error {
	if err := x.b.get(&x.b.add); err != nil {
		return err
	}
	return x.box.Add(letters...)
}

func (x faultyBox) Remove(ids ...deadletter.ID) (int, error) {
	if err := x.b.get(&x.b.remove); err != nil {
		return 0, err
	}
	return x.box.Remove(ids...)
}

func (x faultyBox) NextReplay(atMost int) ([]deadletter.Letter, error) {
	if err := x.b.get(&x.b.replay); err != nil {
		return nil, err
	}
	return x.box.NextReplay(atMost)
}

// install makes a worker use dependencies with the errors of b.
func (b *faultInjector) install(c *Config) {
	c.Reader, c.Letters = faultyReader{c.Reader, b}, faultyBox{c.Letters.(*box), b}
	decode := c.Decode
	c.Decode = func(r journal.Record) (event.Event, error) {
		e, err := decode(r)
		return e, errors.Join(err, b.get(&b.decode))
	}
	c.Options.MaxAge = 24 * time.Hour // makes the worker trim
}

// errorPaths are the rows of the table in the package documentation: how to make
// each path fail, and the expected fault.
var errorPaths = map[string]struct {
	reason, log string
	inject      func(*faultInjector)
	answer      func([]event.Event) (int, error) // answer of the sink during the fault
	hangs       bool                             // the sink ignores its timeout
	replay      bool                             // the event is a dead letter that is replayed
	idle        bool                             // the journal contains no event
	needsEvent  bool                             // the fault is cleared only by another event
}{
	"an attempt fails": {
		reason: metrics.FaultAttempt, log: "delivery failed", answer: failing(errDown),
	},
	"an attempt accepts no event and returns no error": {
		reason: metrics.FaultAttempt, log: "delivery failed", answer: failing(nil),
	},
	"the certificate of the other side is not accepted": {
		reason: metrics.FaultCertificate, log: "delivery failed", answer: failing(sink.WithText("cleaned", errExpired)),
	},
	"an attempt hangs": {
		reason: metrics.FaultStalled, log: "the sink has stalled", hangs: true,
	},
	"each event is refused": {
		reason: metrics.FaultRefused, log: "the sink permanently refused every recent event",
		answer: failing(sink.Permanent(errPoison)), needsEvent: true,
	},
	"each batch is refused": {
		reason: metrics.FaultRefused, log: "the sink permanently refused every recent event",
		answer: failing(sink.PermanentAmong(10, errPoison)), needsEvent: true,
	},
	"the journal cannot be read": {
		reason: metrics.FaultJournal, log: "cannot read the journal", inject: func(b *faultInjector) { b.read = fs.ErrPermission },
	},
	"the journal cannot be read, and no event waits": {
		reason: metrics.FaultJournal, log: "cannot read the journal", inject: func(b *faultInjector) { b.read = fs.ErrPermission }, idle: true,
	},
	"the journal cannot be trimmed": {
		reason: metrics.FaultJournal, log: "cannot read the journal", inject: func(b *faultInjector) { b.trim = fs.ErrPermission },
	},
	"the cursor cannot be written": {
		reason: metrics.FaultCursor, log: "cannot write the cursor", inject: func(b *faultInjector) { b.commit = fs.ErrPermission },
	},
	"a dead letter cannot be written": {
		reason: metrics.FaultDeadLetters, log: "cannot write a permanently refused event",
		inject: func(b *faultInjector) { b.add = fs.ErrPermission },
		answer: failing(sink.Permanent(errPoison)),
	},
	"dead letters cannot be read for a replay": {
		reason: metrics.FaultDeadLetters, log: "cannot read dead letters",
		inject: func(b *faultInjector) { b.replay = fs.ErrPermission }, replay: true,
	},
	"replayed dead letters cannot be removed": {
		reason: metrics.FaultDeadLetters, log: "cannot remove dead letters",
		inject: func(b *faultInjector) { b.remove = fs.ErrPermission }, replay: true,
	},
	"no record can be decoded": {
		reason: metrics.FaultDecode, log: "cannot decode events", inject: func(b *faultInjector) { b.decode = fs.ErrInvalid }, needsEvent: true,
	},
}

// errExpired is the error of a handshake with a server whose certificate has expired.
var errExpired = &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}

// failing accepts no events and returns err, which may be nil.
func failing(err error) func([]event.Event) (int, error) {
	return func([]event.Event) (int, error) { return 0, err }
}

func TestEachErrorPathIsAFaultUntilProgress(t *testing.T) {
	for name, p := range errorPaths {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &faultInjector{}
				if p.inject != nil {
					p.inject(b)
				}
				s, release := &target{answer: p.answer}, make(chan struct{})
				if p.hangs {
					s.answer = func(events []event.Event) (int, error) { <-release; return len(events), nil }
				}
				f := start(t, open(t, 1<<20), func(c *Config) {
					if p.replay {
						l := deadletter.Letter{ID: deadletter.ID{Journal: "j", Seq: 7}, Data: []byte("x")}
						c.Letters.(*box).letters, c.Letters.(*box).marked = []deadletter.Letter{l}, []deadletter.Letter{l}
					}
					b.install(c)
				}, s)
				if !p.replay && !p.idle {
					f.append(t, 3)
				}
				f.observe(10 * time.Second)
				if p.hangs {
					f.observe(5 * time.Minute)
				}
				f.wantFaults(t, p.reason)
				if n := strings.Count(f.log.String(), p.log); n == 0 || n > 5 {
					t.Errorf("%d log lines that contain %q:\n%s", n, p.log, f.log)
				}

				close(release)
				s.answers(nil)
				b.repair()
				f.observe(time.Minute)
				if p.needsEvent {
					f.append(t, 1)
				}
				f.observe(time.Minute)
				f.wantFaults(t)
				if !strings.Contains(f.log.String(), "delivery works again") {
					t.Errorf("the log does not contain the end of the fault:\n%s", f.log)
				}
				if len(f.box.marked) > 0 || p.replay && len(s.accepted) != 1 {
					t.Errorf("%d letters still wait for a replay, the sink accepted %v", len(f.box.marked), s.accepted)
				}
				if got := f.State(); got.Waiting+got.InFlight > 0 || sum(got) != got.Events {
					t.Errorf("account %+v", got)
				}
				f.stop()
				f.end(t)
			})
		})
	}
}

// observe waits for d and calls State regularly, as the status line does.
func (f fixture) observe(d time.Duration) {
	for range 20 {
		time.Sleep(d / 20)
		f.State()
	}
	synctest.Wait()
}

// wantFaults checks that the state and the metrics contain exactly these faults.
func (f fixture) wantFaults(t *testing.T, reasons ...string) {
	t.Helper()
	state := f.State()
	var got []string
	for _, fault := range state.Faults {
		got = append(got, fault.Reason)
		if fault.Err == nil || fault.Err.Error() == "" {
			t.Errorf("the fault %s has no text", fault.Reason)
		}
	}
	if diff := cmp.Diff(reasons, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("faults (-want +got):\n%s\n%v", diff, state.Faults)
	}
	var want strings.Builder
	for _, reason := range slices.Sorted(slices.Values(metrics.FaultReasons())) {
		n := 0
		if slices.Contains(reasons, reason) {
			n = 1
		}
		fmt.Fprintf(&want, "genltestd_sink_fault{reason=%q,sink=\"x\"} %d\n", reason, n)
	}
	healthy := 1
	if len(reasons) > 0 {
		healthy = 0
	}
	fmt.Fprintf(&want, "genltestd_sink_healthy{sink=\"x\"} %d\n", healthy)
	reg := prometheus.NewRegistry()
	if err := metrics.RegisterSinks(reg, func() []metrics.SinkState { return []metrics.SinkState{state} }); err != nil {
		t.Fatal(err)
	}
	const types = "# HELP genltestd_sink_fault 1 while the sink has this fault; docs/health.md explains each.\n" +
		"# TYPE genltestd_sink_fault gauge\n" +
		"# HELP genltestd_sink_healthy 1 unless the sink has a fault; sink_fault shows the reasons.\n# TYPE genltestd_sink_healthy gauge\n"
	wantText := strings.NewReader(types + want.String())
	if err := testutil.GatherAndCompare(reg, wantText, "genltestd_sink_fault", "genltestd_sink_healthy"); err != nil {
		t.Error(err)
	}
}

func TestSinkWithoutEventsIsHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, open(t, 1<<20), nil, &target{})
		f.observe(24 * time.Hour)
		f.wantFaults(t)
		f.stop()
		f.end(t)
	})
}

// A sink that refuses some events stays healthy while it accepts others.
func TestSingleRefusedEventsAreNotAFault(t *testing.T) {
	tests := map[string][]uint64{
		"one":           {50},
		"the last":      {100},
		"every second":  {2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30},
		"four in a row": {50, 51, 52, 53},
		"the last four": {97, 98, 99, 100},
	}
	for name, poisoned := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &target{answer: refusing(true, poisoned...)}
				f := start(t, open(t, 1<<20), nil, s)
				for range 100 {
					f.append(t, 1)
					f.observe(10 * time.Second)
					f.wantFaults(t)
				}
				if strings.Contains(f.log.String(), "every recent event") {
					t.Errorf("the log contains a fault:\n%s", f.log)
				}
				f.stop()
				f.end(t)
			})
		})
	}
}

func TestSinkThatRefusesAllEventsBecomesUnhealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{answer: refusing(true, numbers(11, 20)...)}
		f := start(t, open(t, 1<<20), nil, s)
		for n := 1; n <= 21; n++ {
			f.append(t, 1)
			f.observe(time.Minute)
			if 10+badStreak <= n && n <= 20 {
				f.wantFaults(t, metrics.FaultRefused)
			} else {
				f.wantFaults(t)
			}
		}
		f.stop()
		f.end(t)
	})
}

// Refusals by the old sinks, for example before a template was corrected, do not count for
// the new ones.
func TestChangeClearsRefusalsOfOldSinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, open(t, 1<<20), nil, &target{answer: failing(sink.Permanent(errPoison))})
		f.append(t, 3)
		f.observe(time.Second)
		f.wantFaults(t, metrics.FaultRefused)
		route := f.route
		route.Sinks = []sink.Sink{&target{}}
		<-f.Change(route, time.Second)
		f.observe(time.Second)
		f.wantFaults(t)
		f.stop()
		f.end(t)
	})
}

// A lateSink reports its errors after the time of the attempt.
type lateSink struct{}

func (lateSink) Deliver(context.Context, []event.Event) (int, error) {
	time.Sleep(6 * time.Second)
	return 0, errDown
}

func (lateSink) Close() error { return nil }

func TestAnAttemptThatDoesNotEndInTimeIsATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, open(t, 1<<20), nil, lateSink{})
		f.append(t, 1)
		f.observe(10 * time.Second)
		f.wantFaults(t, metrics.FaultTimeout)
		if got := f.State().Faults[0].Err; got.Error() != "no answer within 5s (attempt_timeout): down" || !errors.Is(got, errDown) {
			t.Errorf("error %q", got)
		}
		f.stop()
		f.end(t)
	})
}

// One of several senders may fail while the others deliver. Their successes must neither
// hide its fault nor clear it repeatedly.
func TestFailingSenderIsNotHiddenByOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := &target{answer: failing(errDown)}
		f := start(t, open(t, 1<<20), nil, bad, &target{}, &target{})
		for range 50 {
			f.append(t, 10)
			time.Sleep(time.Second)
			if synctest.Wait(); bad.attempts() > 0 {
				f.wantFaults(t, metrics.FaultAttempt)
			}
		}
		if n := strings.Count(f.log.String(), "works again"); n > 0 {
			t.Errorf("the log contains a recovery %d times:\n%s", n, f.log)
		}
		bad.answers(nil)
		f.observe(time.Minute)
		f.wantFaults(t)
		f.stop()
		f.end(t)
	})
}

// One look is enough to see an attempt that has outlived its timeout, also while another sender delivers.
func TestAnAttemptThatOutlivesItsTimeIsAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung, release := newBlocked()
		free := &target{}
		f := start(t, open(t, 1<<20), func(c *Config) { c.Options.BatchEvents = 1 }, hung, free)
		f.append(t, 30)
		synctest.Wait()
		limit := f.Options.AttemptTimeout + stallGrace
		time.Sleep(limit - time.Second)
		f.wantFaults(t)
		f.append(t, 1)
		time.Sleep(2 * time.Second)
		f.wantFaults(t, metrics.FaultStalled)
		state := f.State()
		if got, want := state.LastError().Error(), "an attempt has not ended for 1m6s, although its time is over"; got != want {
			t.Errorf("fault %q, want %q", got, want)
		}
		close(release)
		synctest.Wait()
		f.wantFaults(t)
		f.j.Seal()
		f.end(t)
		wantOnce(t, []*target{hung, free}, 31)
	})
}
