// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"

	"github.com/genltestd/genltestd/daemon/httpserver"
	"github.com/genltestd/genltestd/daemon/ratelog"
)

// An Address is where and how the pages are served.
type Address struct {
	Listen  string     // HOST:PORT
	Systemd bool       // the pages are served at the one of Sockets, in place of Listen
	Sockets []*os.File // that systemd has passed; see systemd.Passed
	// Config is the path of a web configuration of exporter-toolkit: TLS, users, headers. Without
	// one the pages are served as plain HTTP to every client.
	Config string
}

// A client that opens more connections closes its own idle ones: Prometheus and a browser need a few.
var serverOptions = httpserver.Options{MaxConns: 16, RequestTime: 10 * time.Second, AnswerTime: 30 * time.Second}

// Listen binds the address, so that an address in use is an error at start-up.
func Listen(a Address, pages Pages, log *slog.Logger) (*httpserver.Server, error) {
	return a.serve(func(address string) (net.Listener, error) { return net.Listen("tcp", address) }, pages, log)
}

// Move is Listen while from still serves the same or an overlapping address of this process.
func Move(from *httpserver.Server, a Address, pages Pages, log *slog.Logger) (*httpserver.Server, error) {
	return a.serve(from.ListenBeside, pages, log)
}

func (a Address) serve(bind func(address string) (net.Listener, error), pages Pages, log *slog.Logger) (*httpserver.Server, error) {
	if err := Validate(a.Config); err != nil {
		return nil, fmt.Errorf("http.web_config: %w", err)
	}
	listener, err := a.listen(bind)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%w by another program; stop it (ss -tlnp shows it), or configure another port", err)
	}
	if err != nil {
		return nil, fmt.Errorf("http.listen: %w", err)
	}
	options := serverOptions
	if a.Config != "" {
		options.Serve = func(s *http.Server, l net.Listener) error {
			return toolkit.Serve(l, s, &toolkit.FlagConfig{WebConfigFile: &a.Config}, slog.New(toolkitLog{ratelog.New(log)}))
		}
	}
	return httpserver.New(listener, Handler(pages, log), options, log), nil
}

// listen returns a listener of the passed socket, which remains open for the next listener, or of an
// address that is bound.
func (a Address) listen(bind func(address string) (net.Listener, error)) (net.Listener, error) {
	switch {
	case !a.Systemd:
		return bind(a.Listen)
	case len(a.Sockets) == 1:
		return net.FileListener(a.Sockets[0])
	case len(a.Sockets) == 0:
		return nil, errors.New("systemd has passed no socket to the daemon; enable and start genltestd.socket, and restart genltestd")
	}
	return nil, fmt.Errorf("systemd has passed %d sockets to the daemon; leave one ListenStream= in its socket units, and restart both",
		len(a.Sockets))
}

// Validate returns what is wrong with a web configuration or the files that it names, or nil. An
// empty path is valid.
func Validate(path string) error {
	err := toolkit.Validate(path)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return err
	case strings.HasSuffix(err.Error(), syscall.EACCES.Error()):
		err = errors.Join(fs.ErrPermission, err) // of a file that the toolkit has named in a text only
	}
	text := strings.TrimPrefix(err.Error(), fs.ErrPermission.Error()+"\n")
	return &configError{fmt.Sprintf("%s: %s", path, strings.ReplaceAll(text, "\n", " ")), err}
}

// A configError shows the text of an error in one line.
type configError struct {
	text  string
	cause error
}

func (e *configError) Error() string { return e.text }
func (e *configError) Unwrap() error { return e.cause }

// toolkitLog logs the errors of the toolkit, which can occur with each request, at a limited rate.
// Its other lines repeat those of package endpoint.
type toolkitLog struct{ limits *ratelog.Logger }

func (toolkitLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (h toolkitLog) Handle(_ context.Context, r slog.Record) error {
	args := []any{"problem", r.Message}
	r.Attrs(func(a slog.Attr) bool { args = append(args, a); return true })
	h.limits.Error("http.web_config cannot be used for a connection or a request", args...)
	return nil
}

func (h toolkitLog) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h toolkitLog) WithGroup(string) slog.Handler      { return h }
