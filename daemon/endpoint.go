// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/control"
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/metrics"
)

const (
	bindMin = time.Second // first wait before an address is bound again
	bindMax = 10 * time.Second
)

// An endpoint is one address at which the daemon answers operators. Receiving and
// delivering do not depend on it: an address that cannot be bound is bound again later.
type endpoint struct {
	name    string // in health, log and metric
	open    func() (*control.Server, error)
	log     *slog.Logger
	repeats *ratelog.Logger // of lines that may repeat

	mu     sync.Mutex
	server *control.Server // nil until the address is bound
	fault  error           // why it is not
}

// bind binds the address, or notes why it cannot.
func (e *endpoint) bind() {
	server, err := e.open()
	if err != nil {
		e.failed(err)
		return
	}
	e.serveBy(server)
}

// serveBy takes a server that is bound.
func (e *endpoint) serveBy(server *control.Server) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.server, e.fault = server, nil
	e.log.Info("listening", "address", server.Addr())
}

// failed notes why nobody is answered. It is logged, but not at each try.
func (e *endpoint) failed(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.repeats.Error("cannot listen; trying again until it is possible", "error", err)
	e.server, e.fault = nil, err
}

// run serves until the context ends, over and over when the address is lost.
func (e *endpoint) run(ctx context.Context) error {
	for wait := bindMin; ; wait = min(2*wait, bindMax) {
		if server := e.bound(); server != nil {
			wait = bindMin
			err := server.Run(ctx)
			if ctx.Err() != nil {
				return nil
			}
			e.failed(cmp.Or(err, errServerEnded))
		}
		select {
		case <-time.After(wait):
			e.bind()
		case <-ctx.Done():
			return nil
		}
	}
}

var errServerEnded = errors.New("the server has ended")

// bound returns the server, nil while the address is not bound.
func (e *endpoint) bound() *control.Server {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.server
}

// failing returns why nobody is answered, nil while somebody is.
func (e *endpoint) failing() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fault
}

func (d *Daemon) newEndpoint(name string, open func() (*control.Server, error)) *endpoint {
	log := component(d.log, name)
	return &endpoint{name: name, open: open, log: log, repeats: ratelog.New(log)}
}

// controlSocket is the endpoint of the operator's client.
func (d *Daemon) controlSocket() *endpoint {
	path, log := d.opts.Dirs.controlSocket(), component(d.log, metrics.ListenerControl)
	return d.newEndpoint(metrics.ListenerControl, func() (*control.Server, error) {
		return control.ListenSocket(path, operations{boxes{d}}, log)
	})
}

// pagesAt is the endpoint of the pages; nil when they are switched off.
func (d *Daemon) pagesAt(cfg *config.HTTP) *endpoint {
	if cfg.Listen == "" {
		return nil
	}
	address, log := cfg.Listen, component(d.log, metrics.ListenerHTTP)
	return d.newEndpoint(metrics.ListenerHTTP, func() (*control.Server, error) { return control.Listen(address, d.pages, log) })
}

// endpoints returns those that are configured.
func (d *Daemon) endpoints() []*endpoint {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.web == nil {
		return []*endpoint{d.socket}
	}
	return []*endpoint{d.socket, d.web}
}

// endpointFaults names the endpoints that answer nobody.
func (d *Daemon) endpointFaults() (faults []string) {
	for _, e := range d.endpoints() {
		if err := e.failing(); err != nil {
			faults = append(faults, fmt.Sprintf("%s: %v", e.name, err))
		}
	}
	return faults
}

// listening reports whether operators are answered at the endpoint of that name.
func (d *Daemon) listening(name string) bool {
	for _, e := range d.endpoints() {
		if e != nil && e.name == name {
			return e.bound() != nil
		}
	}
	return false
}
