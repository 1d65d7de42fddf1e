// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/control"
	"github.com/genltestd/genltestd/daemon/delivery"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/teardown"
)

// A plan is all that a new configuration needs: made before anything changes, so that
// what can fail has not failed halfway.
type plan struct {
	cfg     *config.Config
	workers []*worker // in the order of the configuration
	added   []*worker // of them
	changed []turn
	removed []*worker
	pending []*pending // sinks that could not be opened before, nor now
	listens bool       // elsewhere, or not any more
	web     *endpoint  // then; nil is none
	undo    teardown.Stack
}

// A turn is what becomes of a worker whose sink has changed.
type turn struct {
	*worker
	to    config.Sink
	route delivery.Route
}

// plan makes all that cfg needs and is not there. When it fails, nothing is left behind.
func (d *Daemon) plan(cfg *config.Config) (_ *plan, err error) {
	if err := Check(cfg, d.opts.Dirs); err != nil {
		return nil, err
	}
	p := &plan{cfg: cfg}
	defer func() {
		if err != nil {
			if err := p.undo.Run(); err != nil {
				d.log.Error("reload: taking back what was made", "error", err)
			}
		}
	}()
	compiler := newCompiler(cfg)
	for i := range cfg.Sinks {
		if err := d.planSink(p, &cfg.Sinks[i], compiler); err != nil {
			return nil, sinkError(cfg, i, err)
		}
	}
	for _, w := range d.crew() {
		if !slices.Contains(p.workers, w) {
			p.removed = append(p.removed, w)
		}
	}
	if p.listens = cfg.HTTP.Listen != d.config().HTTP.Listen; !p.listens {
		return p, nil
	}
	if p.web, err = d.listenElsewhere(cfg); err != nil {
		return nil, config.Errors{cfg.Fault("http.listen", "%s", strings.TrimPrefix(err.Error(), "http.listen: "))}
	}
	return p, nil
}

// listenElsewhere returns the endpoint that takes the place of the present one, bound.
func (d *Daemon) listenElsewhere(cfg *config.Config) (*endpoint, error) {
	next := d.pagesAt(&cfg.HTTP)
	if next == nil {
		return nil, nil
	}
	open := next.open
	if d.web != nil { // only this goroutine changes it
		if server := d.web.bound(); server != nil {
			open = func() (*control.Server, error) { return server.Move(cfg.HTTP.Listen) }
		}
	}
	server, err := open()
	if err != nil {
		return nil, err
	}
	next.serveBy(server)
	return next, nil
}

func (d *Daemon) planSink(p *plan, c *config.Sink, compiler *match.Compiler) error {
	w := d.workerOf(c.Name)
	if w == nil {
		if err := d.isLeaving(c.Name); err != nil {
			return err
		}
		w, err := d.planNew(p, c, compiler)
		if w == nil {
			return err
		}
		p.undo.Push(w.discard)
		if err := w.letters.Fault(); err != nil {
			return err // at a start it is a fault of the sink; here the operator is waiting
		}
		p.added, p.workers = append(p.added, w), append(p.workers, w)
		return nil
	}
	p.workers = append(p.workers, w)
	if reflect.DeepEqual(w.cfg, *c) {
		return nil
	}
	route, err := d.newRoute(c, w, compiler)
	if err != nil {
		return err
	}
	p.undo.Push(func() error { return sink.CloseAll(sink.Without(route.Sinks, w.route.Sinks)) })
	p.changed = append(p.changed, turn{w, *c, route})
	return nil
}

// planNew makes the worker of a sink that has none, or returns nil for one that still
// cannot be opened.
func (d *Daemon) planNew(p *plan, c *config.Sink, compiler *match.Compiler) (*worker, error) {
	before := d.pendingOf(c.Name)
	if before == nil {
		return d.newWorker(c, nil, compiler)
	}
	w, err := d.newWorker(c, before.reader, compiler)
	var option *sink.OptionError
	if err == nil || errors.As(err, &option) {
		return w, err
	}
	p.pending = append(p.pending, &pending{cfg: *c, reader: before.reader, fault: err})
	return nil, nil
}

// isLeaving is an error while a sink of that name, which was removed, has not returned.
func (d *Daemon) isLeaving(sink string) error {
	left, ok := d.leaving[sink]
	if !ok {
		return nil
	}
	select {
	case <-left:
		delete(d.leaving, sink)
		return nil
	default:
		return errors.New("it was removed, and its attempt under way has not ended yet; try again later")
	}
}
