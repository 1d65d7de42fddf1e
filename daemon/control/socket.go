// SPDX-License-Identifier: Apache-2.0

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
	"github.com/genltestd/genltestd/daemon/unixsocket"
)

// maxSocketPath is what fits into a unix socket's address.
const maxSocketPath = 107

// Operations are what an operator can have the daemon do.
type Operations interface {
	DeadLetters
	Reloader
}

// ListenSocket binds the unix socket that genltestctl talks to. Whoever may write
// to it may do all that the client can: the process's user and group. It is another
// server than that of the pages, which anybody may read.
//
// The caller holds the journal's lock and has opened the inbox, which only its user may.
// So a socket that this process may not connect to was left by another user's process
// that has ended.
func ListenSocket(path string, operations Operations, log *slog.Logger) (*Server, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("control socket %s: the path has %d bytes, at most %d are possible: use a shorter runtime directory", path, len(path), maxSocketPath)
	}
	err := unixsocket.RemoveOwn(path)
	if errors.Is(err, unixsocket.ErrServed) {
		err = errors.New("another genltestd serves it; stop that one, or give this one a runtime directory of its own")
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
	l := limit(listener, mostOfSocket, log)
	l.writeTime = 30 * time.Second // of each write: a reload, or a long list, takes its time
	return serve(l, socketHandler(operations, log)), nil
}

func socketHandler(operations Operations, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	deadLetters{operations, log}.routes(mux)
	mux.HandleFunc("POST /v1/reload", reload(operations, log))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, &api.Error{Status: http.StatusNotFound, Message: "the daemon does not know this request: it may be of another version than the client"})
	})
	return mux
}
