// SPDX-License-Identifier: Apache-2.0

// Package echo checks the health of the kernel module: it sends an echo command at an
// interval and reports whether the module answers.
package echo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/metrics"
)

// A Prober asks the kernel module for an answer. Probe is not called concurrently.
type Prober interface {
	Probe(ctx context.Context) (reply string, err error)
	Close() error
}

var _ Prober = (*genl.EchoClient)(nil)

const (
	// maxRetry bounds the wait after a probe that failed.
	maxRetry = 10 * time.Second

	// slack is the delay that a busy machine may add to a probe.
	slack = 10 * time.Second
)

// ErrUnprobed is the fault before the first probe of a family that was registered has ended.
var ErrUnprobed = errors.New("the first health check has not ended yet")

// A Config is the interval between two probes, 0 for no probes, and the timeout of one.
type Config struct {
	Interval time.Duration
	Timeout  time.Duration
}

// Options are the dependencies of a Loop. Each is required.
type Options struct {
	Prober  Prober
	Metrics *metrics.Reception
	Log     *slog.Logger
}

// A Loop sends probes at an interval and stores the result of the last one. Its methods
// are safe for concurrent use, but Run must be called only once.
type Loop struct {
	Options
	limits *ratelog.Logger // for lines that may repeat
	wake   chan struct{}   // requests a probe now

	mu    sync.Mutex
	cfg   Config
	last  error     // of the last probe; ErrUnprobed before the first of a new family
	since time.Time // the time of last, or when the first probe was requested
}

// New returns a loop that Run starts.
func New(cfg Config, o Options) *Loop {
	return &Loop{Options: o, cfg: cfg, limits: ratelog.New(o.Log), wake: make(chan struct{}, 1), last: ErrUnprobed, since: time.Now()}
}

// Configure changes the configuration. If it differs, the loop probes now.
func (l *Loop) Configure(cfg Config) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if cfg == l.cfg {
		return
	}
	if l.cfg.Interval == 0 {
		l.last = ErrUnprobed
	}
	l.cfg, l.since = cfg, time.Now()
	l.requestProbe()
}

// Appeared makes the loop probe a family that was just registered. The results of earlier
// probes are dropped: they are from an earlier load of the module. It does not block.
func (l *Loop) Appeared() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last, l.since = ErrUnprobed, time.Now()
	l.requestProbe()
}

func (l *Loop) requestProbe() {
	select {
	case l.wake <- struct{}{}:
	default: // a request is pending
	}
}

// Config returns the configuration in use.
func (l *Loop) Config() Config {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cfg
}

// Fault returns why the module is not known to answer, or nil if it answers or probes are
// switched off.
func (l *Loop) Fault(now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	interval := l.cfg.Interval
	if interval == 0 {
		return nil
	}
	if age := now.Sub(l.since); age > interval+interval/10+l.cfg.Timeout+slack {
		return fmt.Errorf("no health check has ended for %s; the interval is %s", age.Round(time.Second), interval)
	}
	return l.last
}

// Run probes until the context ends: now, then at the interval with a jitter of a tenth,
// so that a fleet does not probe in step. After a failure it waits at most maxRetry.
// It closes the prober.
func (l *Loop) Run(ctx context.Context) {
	defer l.Prober.Close()
	for {
		select {
		case <-l.wake: // the probe below answers the request
		default:
		}
		cfg, next := l.Config(), (<-chan time.Time)(nil)
		if interval := cfg.Interval; interval > 0 {
			if err := l.probe(ctx, cfg.Timeout); err != nil && !errors.Is(err, os.ErrNotExist) {
				interval = min(interval, maxRetry)
			}
			next = time.After(interval - interval/10 + rand.N(interval/5+1))
		}
		select {
		case <-next:
		case <-l.wake:
		case <-ctx.Done():
			return
		}
	}
}

func (l *Loop) probe(ctx context.Context, timeout time.Duration) error {
	probeCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := time.Now()
	reply, err := l.Prober.Probe(probeCtx)
	if ctx.Err() != nil {
		return nil // the daemon is stopping: the module is not at fault
	}
	l.Metrics.EchoProbes.WithLabelValues(result(err)).Inc()
	if err == nil {
		l.Metrics.EchoSeconds.Observe(time.Since(began).Seconds())
		l.Log.Debug("the module answered", "reply", reply)
	}
	l.record(err)
	return err
}

const failed = "echo health check failed"

// record stores and logs the result of a probe. The receiver logs that a family is absent.
func (l *Loop) record(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last, l.since = err, time.Now()
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err == nil:
		l.limits.Resolved(failed, "echo health check works again")
	default:
		l.limits.Warn(failed, "error", err)
	}
}

// result returns the label of the metric for the error of a probe.
func result(err error) string {
	switch {
	case err == nil:
		return metrics.EchoOK
	case errors.Is(err, os.ErrNotExist):
		return metrics.EchoAbsent
	case errors.Is(err, os.ErrDeadlineExceeded):
		return metrics.EchoTimeout
	}
	return metrics.EchoError
}
