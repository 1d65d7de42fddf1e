// SPDX-License-Identifier: Apache-2.0

// Package control serves the API of genltestctl on a Unix socket.
package control

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/httpserver"
	"github.com/genltestd/genltestd/daemon/unixsocket"
)

// maxSocketPath is the maximum length of a Unix socket's path.
const maxSocketPath = 107

// socketOptions limit each write, because a reload or a long list can take longer than one answer should.
// The headers have space for the longest filter, whose characters are escaped in the query.
var socketOptions = httpserver.Options{MaxConns: 8, WriteTime: 30 * time.Second, HeaderBytes: 64 << 10}

// Operations are the requests that an operator can make.
type Operations interface {
	Canaries
	DeadLetters
	Events
	Reloader
	Settings
	Sinks
	// Metrics serves the metrics.
	Metrics() http.Handler
	// Operators returns the name of the group whose members may change something. It may
	// be empty.
	Operators() string
	// Status returns the state of the daemon.
	Status() *api.Status
}

// ListenSocket binds the Unix socket for genltestctl. The user and group of the process may
// connect, and then read; see access for who may change something. The pages have a separate server, because they are
// readable for all users.
//
// The caller must hold the lock of the journal and have opened the inbox. So a socket to
// which this process may not connect is a leftover: another user's process created it and
// has ended.
func ListenSocket(path string, operations Operations, log *slog.Logger) (*httpserver.Server, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("control socket %s: the path has %d bytes, the maximum is %d; use a shorter runtime directory",
			path, len(path), maxSocketPath)
	}
	err := unixsocket.RemoveOwn(path)
	if errors.Is(err, unixsocket.ErrServed) {
		err = errors.New("another genltestd uses it; stop that one, or configure another runtime directory")
	}
	if err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), listener.Close())
	}
	a, options := newAccess(operations.Operators, log), socketOptions
	options.ConnContext = a.withPeer
	return httpserver.New(listener, socketHandler(operations, a, log), options, log), nil
}

func socketHandler(operations Operations, a *access, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	for _, t := range routes(operations, log) {
		mux.HandleFunc(t.pattern, t.handler(a))
	}
	mux.HandleFunc("/", unknownRequest)
	return mux
}
