// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// maxStart is the time that systemd is asked to wait for a start.
	maxStart = time.Hour

	// maxEnd is the time that systemd is asked to wait for a stop, in addition to the
	// drain: to receive what is queued, to cancel attempts, to sync and to close.
	maxEnd = 30 * time.Second
)

// Run works until the context ends or a part of the daemon fails permanently, then delivers
// what is left within the drain limit. It returns the error of the part that failed.
func (d *Daemon) Run(parent context.Context) error {
	ctx, fail := context.WithCancelCause(parent)
	defer fail(nil)
	serveCtx, stopServing := context.WithCancel(context.WithoutCancel(parent))
	defer stopServing()
	receiving := group{ctx: ctx, fail: fail}
	d.serving = &group{ctx: serveCtx, fail: fail}
	d.startServing()
	d.pipelines.Start(parent)
	d.reception.Start(ctx, fail)
	receiving.start(quiet(d.status.run))
	receiving.start(quiet(d.reloads.Run))
	d.notifier.Ready()
	d.log.Info("ready")

	<-ctx.Done()
	d.notifier.Stopping()
	defer d.notifier.Extend(time.Duration(d.reloads.Config().Shutdown.Drain) + maxEnd)()
	d.log.Info("stopping", "cause", context.Cause(ctx))
	// A part ends before the part that it sends data to. The pages and the socket end last,
	// so that they show the final counters.
	receiving.wg.Wait()
	d.reception.Wait()
	d.journal.Seal()
	d.pipelines.Drain(time.Duration(d.reloads.Config().Shutdown.Drain))
	if err := errors.Join(d.journal.Close(), d.reception.Close()); err != nil {
		d.log.Error("closing the journal", "error", err)
	}
	stopServing()
	d.serving.wg.Wait()
	d.pipelines.Close()
	if parent.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// startServing starts the parts that work until the end.
func (d *Daemon) startServing() {
	d.servePages(d.web)
	d.serving.start(d.socket.Run)
	d.serving.start(quiet(d.opts.reaper.Run))
	d.serving.start(quiet(func(ctx context.Context) { d.notifier.Watchdog(ctx, d.alive) }))
	d.serving.start(quiet(d.maintainClock))
	d.serving.start(quiet(d.origins.Run))
}

// A group is goroutines that end together. The first error ends the daemon.
type group struct {
	wg   sync.WaitGroup
	ctx  context.Context // of each goroutine
	fail context.CancelCauseFunc
}

func (g *group) start(run func(context.Context) error) {
	g.wg.Go(func() {
		if err := run(g.ctx); err != nil {
			g.fail(err)
		}
	})
}

// quiet adds the error of a function that cannot fail.
func quiet(run func(context.Context)) func(context.Context) error {
	return func(ctx context.Context) error {
		run(ctx)
		return nil
	}
}
