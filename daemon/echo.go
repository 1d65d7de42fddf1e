// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/metrics"
)

// A Prober asks the kernel module for a sign of life.
type Prober interface {
	Probe(ctx context.Context) (reply string, err error)
	Close() error
}

var _ Prober = (*genl.EchoClient)(nil)

const (
	// echoRetry is the longest wait after a probe that failed.
	echoRetry = 10 * time.Second

	// echoSlack is how late a probe may be on a machine that is busy.
	echoSlack = 10 * time.Second
)

var errUnprobed = errors.New("the first health check has not ended yet")

// An echoLoop probes on an interval and remembers how the last probe ended.
type echoLoop struct {
	prober Prober
	m      *metrics.Metrics
	log    *slog.Logger
	limits *ratelog.Logger // of lines that may repeat
	wake   chan struct{}   // a probe is wanted at once

	mu    sync.Mutex
	cfg   config.Echo
	last  error     // of the last probe; errUnprobed before the first of a family that has appeared
	since time.Time // the last probe ended, or the first became due
}

func newEchoLoop(p Prober, cfg config.Echo, m *metrics.Metrics, log *slog.Logger) *echoLoop {
	if p == nil {
		p = genl.NewEchoClient()
	}
	return &echoLoop{prober: p, cfg: cfg, m: m, log: log, limits: ratelog.New(log), wake: make(chan struct{}, 1), last: errUnprobed, since: time.Now()}
}

// configure goes on with another configuration, at once.
func (e *echoLoop) configure(cfg config.Echo) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if cfg == e.cfg {
		return
	}
	if e.cfg.Interval == 0 {
		e.last = errUnprobed
	}
	e.cfg, e.since = cfg, time.Now()
	e.hurry()
}

// appeared makes the loop probe a family that was not there before: until that has ended,
// what earlier probes have found says nothing. It does not block.
func (e *echoLoop) appeared() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last, e.since = errUnprobed, time.Now()
	e.hurry()
}

// hurry asks for a probe.
func (e *echoLoop) hurry() {
	select {
	case e.wake <- struct{}{}:
	default: // one is wanted already
	}
}

func (e *echoLoop) config() config.Echo {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.cfg
}

// fault returns why the family's module is not known to answer, nil if it is.
func (e *echoLoop) fault(now time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	interval := time.Duration(e.cfg.Interval)
	if interval == 0 {
		return nil
	}
	if age := now.Sub(e.since); age > interval+interval/10+time.Duration(e.cfg.Timeout)+echoSlack {
		return fmt.Errorf("no health check has ended for %s, though one is due every %s", age.Round(time.Second), interval)
	}
	return e.last
}

// run probes until the context ends: at once, then after the interval, give or
// take a tenth, so that a fleet does not probe in step. After a failure it does not
// wait as long, and it probes at once when the family appears.
func (e *echoLoop) run(ctx context.Context) {
	defer e.prober.Close()
	for {
		select {
		case <-e.wake: // this is the probe
		default:
		}
		cfg, next := e.config(), (<-chan time.Time)(nil)
		if interval := time.Duration(cfg.Interval); interval > 0 {
			if err := e.probe(ctx, time.Duration(cfg.Timeout)); err != nil && !errors.Is(err, os.ErrNotExist) {
				interval = min(interval, echoRetry)
			}
			next = time.After(interval - interval/10 + rand.N(interval/5+1))
		}
		select {
		case <-next:
		case <-e.wake:
		case <-ctx.Done():
			return
		}
	}
}

func (e *echoLoop) probe(ctx context.Context, timeout time.Duration) error {
	probeCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := time.Now()
	reply, err := e.prober.Probe(probeCtx)
	if ctx.Err() != nil {
		return nil // the daemon is stopping; this says nothing of the module
	}
	e.m.EchoProbes.WithLabelValues(echoResult(err)).Inc()
	if err == nil {
		e.m.EchoSeconds.Observe(time.Since(began).Seconds())
		e.log.Debug("the module answered", "reply", reply)
	}
	e.remember(err)
	return err
}

const echoFailed = "echo health check failed"

// remember logs what a probe has shown. That the family is absent the receiver
// has logged.
func (e *echoLoop) remember(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last, e.since = err, time.Now()
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err == nil:
		e.limits.Resolved(echoFailed, "echo health check works again")
	default:
		e.limits.Warn(echoFailed, "error", err)
	}
}

func echoResult(err error) string {
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
