// SPDX-License-Identifier: Apache-2.0

// Package endpoint serves operators at an address, and binds the address again if that
// fails. Receiving and delivering do not depend on it.
package endpoint

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/genltestd/genltestd/daemon/httpserver"
	"github.com/genltestd/genltestd/daemon/ratelog"
)

const (
	bindMin = time.Second // first wait before an address is bound again
	bindMax = 10 * time.Second
)

// An Endpoint is one address. Its methods are safe for concurrent use, but Run must be
// called only once.
type Endpoint struct {
	Name string // in health, log and metric
	open func() (*httpserver.Server, error)

	log     *slog.Logger
	repeats *ratelog.Logger // for lines that may repeat

	mu     sync.Mutex
	server *httpserver.Server // nil until the address is bound
	fault  error              // why server is nil
}

// New returns an endpoint that open binds.
func New(name string, open func() (*httpserver.Server, error), log *slog.Logger) *Endpoint {
	return &Endpoint{Name: name, open: open, log: log, repeats: ratelog.New(log)}
}

// Open returns the server of open, for Use.
func (e *Endpoint) Open() (*httpserver.Server, error) { return e.open() }

// Bind binds the address. Fault returns its error.
func (e *Endpoint) Bind() {
	server, err := e.open()
	if err != nil {
		e.failed(err)
		return
	}
	e.Use(server)
}

// Use makes Run serve with a server that is bound.
func (e *Endpoint) Use(server *httpserver.Server) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.server, e.fault = server, nil
	e.log.Info("listening", "address", server.Addr())
}

// failed stores the fault, and logs it at a limited rate.
func (e *Endpoint) failed(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.repeats.Error("cannot listen; trying again until it is possible", "error", err)
	e.server, e.fault = nil, err
}

// Run serves until the context ends. It binds the address again when it is lost.
func (e *Endpoint) Run(ctx context.Context) error {
	for wait := bindMin; ; wait = min(2*wait, bindMax) {
		if server := e.Bound(); server != nil {
			wait = bindMin
			err := server.Run(ctx)
			if ctx.Err() != nil {
				return nil
			}
			e.failed(cmp.Or(err, errServerEnded))
		}
		select {
		case <-time.After(wait):
			e.Bind()
		case <-ctx.Done():
			return nil
		}
	}
}

var errServerEnded = errors.New("the server has ended")

// Bound returns the server, or nil while the address is not bound.
func (e *Endpoint) Bound() *httpserver.Server {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.server
}

// Fault returns why the address is not bound, or nil if it is.
func (e *Endpoint) Fault() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fault
}
