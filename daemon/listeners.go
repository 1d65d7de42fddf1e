// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"strings"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/control"
	"github.com/genltestd/genltestd/daemon/endpoint"
	"github.com/genltestd/genltestd/daemon/httpserver"
	"github.com/genltestd/genltestd/daemon/web"
	"github.com/genltestd/genltestd/metrics"
)

// controlSocket returns the endpoint of the operator's client.
func (d *Daemon) controlSocket() *endpoint.Endpoint {
	path, log := d.opts.Dirs.controlSocket(), component(d.log, metrics.ListenerControl)
	return endpoint.New(metrics.ListenerControl, func() (*httpserver.Server, error) {
		return control.ListenSocket(path, operations{d.deadLetters(), d.sinkActions(), canaries{d}, d.inspector, d}, log)
	}, log)
}

// pagesAt returns the endpoint of the pages, or nil if they are switched off.
func (d *Daemon) pagesAt(cfg *config.HTTP) *endpoint.Endpoint {
	if cfg.Listen == "" {
		return nil
	}
	log := component(d.log, metrics.ListenerHTTP)
	return endpoint.New(metrics.ListenerHTTP, func() (*httpserver.Server, error) { return web.Listen(d.addressOf(cfg), d.pages, log) }, log)
}

func (d *Daemon) addressOf(cfg *config.HTTP) web.Address {
	return web.Address{
		Listen: cfg.Listen, Systemd: cfg.Listen == config.ListenSystemd, Sockets: d.passed.Listening, Config: cfg.WebConfig,
	}
}

// servePages stops the earlier server of the pages and starts another one, unless e is nil.
func (d *Daemon) servePages(e *endpoint.Endpoint) {
	if d.stopPages != nil {
		d.stopPages()
	}
	ctx, stop := context.WithCancel(d.serving.ctx)
	d.stopPages = stop
	if e != nil {
		d.serving.start(func(context.Context) error { return e.Run(ctx) })
	}
}

// movePages implements reload.Options.Listen. The contents of a web configuration may have changed
// even if its path has not: only a new server begins or ends to use TLS.
func (d *Daemon) movePages(cfg *config.Config) (commit func(), err error) {
	if cfg.HTTP == d.reloads.Config().HTTP && cfg.HTTP.WebConfig == "" {
		return nil, nil
	}
	next, err := d.bindElsewhere(&cfg.HTTP)
	if err != nil {
		key, text, _ := strings.Cut(err.Error(), ": ")
		return nil, config.Errors{cfg.Fault(key, "%s", text)}
	}
	return func() {
		d.mu.Lock()
		d.web = next
		d.mu.Unlock()
		d.servePages(next)
	}, nil
}

// bindElsewhere returns the endpoint of the pages at another address, bound.
func (d *Daemon) bindElsewhere(cfg *config.HTTP) (*endpoint.Endpoint, error) {
	next := d.pagesAt(cfg)
	if next == nil {
		return nil, nil
	}
	open := next.Open
	if d.web != nil { // only this goroutine changes it
		if server := d.web.Bound(); server != nil {
			log := component(d.log, metrics.ListenerHTTP)
			open = func() (*httpserver.Server, error) { return web.Move(server, d.addressOf(cfg), d.pages, log) }
		}
	}
	server, err := open()
	if err != nil {
		return nil, err
	}
	next.Use(server)
	return next, nil
}

// endpoints returns the configured endpoints.
func (d *Daemon) endpoints() []*endpoint.Endpoint {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.web == nil {
		return []*endpoint.Endpoint{d.socket}
	}
	return []*endpoint.Endpoint{d.socket, d.web}
}

// listening reports whether the endpoint of that name is bound.
func (d *Daemon) listening(name string) bool {
	for _, e := range d.endpoints() {
		if e != nil && e.Name == name {
			return e.Bound() != nil
		}
	}
	return false
}
