// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/metrics"
)

// A Prober asks the kernel module for a sign of life.
type Prober interface {
	Probe(ctx context.Context) (reply string, err error)
	Close() error
}

var _ Prober = (*genl.EchoClient)(nil)

// An echoLoop probes on an interval and remembers how the last probe ended.
type echoLoop struct {
	prober  Prober
	m       *metrics.Metrics
	log     *slog.Logger
	changed chan struct{} // the configuration has

	mu   sync.Mutex
	cfg  config.Echo
	last error // nil also before the first probe
}

func newEchoLoop(p Prober, cfg config.Echo, m *metrics.Metrics, log *slog.Logger) *echoLoop {
	if p == nil {
		p = genl.NewEchoClient()
	}
	return &echoLoop{prober: p, cfg: cfg, m: m, log: log, changed: make(chan struct{}, 1)}
}

// configure goes on with another configuration, at once.
func (e *echoLoop) configure(cfg config.Echo) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if cfg == e.cfg {
		return
	}
	e.cfg = cfg
	select {
	case e.changed <- struct{}{}:
	default: // one that was not noticed yet
	}
}

func (e *echoLoop) config() config.Echo {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.cfg
}

// fault returns how the last probe failed, nil if it did not.
func (e *echoLoop) fault() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last
}

// run probes until the context ends: at once, then after the interval, give or
// take a tenth, so that a fleet does not probe in step.
func (e *echoLoop) run(ctx context.Context) {
	defer e.prober.Close()
	for {
		cfg, next := e.config(), (<-chan time.Time)(nil)
		if interval := time.Duration(cfg.Interval); interval > 0 {
			e.probe(ctx, time.Duration(cfg.Timeout))
			next = time.After(interval - interval/10 + rand.N(interval/5+1)) //nolint:gosec // jitter, not a secret
		} else {
			e.remember(nil) // nobody looks any more
		}
		select {
		case <-next:
		case <-e.changed:
		case <-ctx.Done():
			return
		}
	}
}

func (e *echoLoop) probe(ctx context.Context, timeout time.Duration) {
	probeCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := time.Now()
	reply, err := e.prober.Probe(probeCtx)
	if ctx.Err() != nil {
		return // the daemon is stopping; this says nothing of the module
	}
	e.m.EchoProbes.WithLabelValues(echoResult(err)).Inc()
	if err == nil {
		e.m.EchoSeconds.Observe(time.Since(began).Seconds())
		e.log.Debug("the module answered", "reply", reply)
	}
	e.remember(err)
}

// remember logs a change, not each probe. That the family is absent the receiver
// has logged.
func (e *echoLoop) remember(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case err != nil && !errors.Is(err, os.ErrNotExist) && (e.last == nil || e.last.Error() != err.Error()):
		e.log.Warn("echo health check failed", "error", err)
	case err == nil && e.last != nil && e.cfg.Interval > 0:
		e.log.Info("echo health check works again")
	}
	e.last = err
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
