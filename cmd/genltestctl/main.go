// SPDX-License-Identifier: Apache-2.0

// Command genltestctl is the operator's client of genltestd. It sends commands to the
// running daemon through a unix socket.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/liblog"
)

// version is set by the linker.
var version = "devel"

// Exit statuses; those above 63 are defined by sysexits.h.
const (
	exitOK          = 0
	exitFailed      = 1
	exitDegraded    = 3
	exitUsage       = 64
	exitNoInput     = 66
	exitUnavailable = 69
	exitNoPerm      = 77
	exitConfig      = 78
)

const defaultSocket = "/run/genltestd/" + api.SocketName

const description = `Operate a running genltestd: show its state, reload its configuration, and inspect,
replay or drop the events that a sink has refused. Show the generic netlink families of
the kernel, listen to their events, and test the module.

genltestctl uses the daemon's unix socket, except for echo, family, listen and ping, which
use the kernel. Root and the members of the group genltestd may use it. The socket of a
daemon that a user runs is $XDG_RUNTIME_DIR/genltestd/control.sock.

Exit status: 0 success, 1 failure, or the configuration differs, 3 the daemon has a fault, 64 wrong usage, 66 unknown sink, event or family,
69 the daemon does not run, or it or the kernel does not answer, 77 permission denied,
78 the configuration has a fault.`

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// A session is one run of the program.
type session struct {
	in       *os.File
	out, err *os.File
	socket   string
	timeout  time.Duration
	output   outputFormat

	pingFile       string // whose writes the module multicasts
	openController func() (controller, error)
}

func (s *session) client() *api.Client { return api.NewClient(s.socket).WithTimeout(s.timeout) }

// A usageError is a fault in the command line.
type usageError struct{ error }

func run(args []string, in, out, errs *os.File) int {
	return (&session{in: in, out: out, err: errs, output: outputText, pingFile: pingFile, openController: openController}).run(args)
}

func (s *session) run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// net/http logs faults of a server that is not the daemon. The command prints its own error.
	defer liblog.Capture(slog.New(slog.DiscardHandler))()
	root := s.command()
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	called, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errDegraded): // it is in the output
		return exitDegraded
	case errors.Is(err, errDiffers), errors.Is(err, errNotAccepted): // it is in the output
		return exitFailed
	}
	text, code := s.explain(err)
	if code == exitUsage {
		text += "; see " + called.CommandPath() + " --help"
	}
	fmt.Fprintf(s.err, "genltestctl: %s\n", visible(text))
	return code
}

func (s *session) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "genltestctl",
		Short:         "Operate genltestd",
		Long:          description,
		Version:       fmt.Sprintf("%s (%s %s/%s)", version, runtime.Version(), runtime.GOOS, runtime.GOARCH),
		Args:          usageArgs(cobra.NoArgs),
		RunE:          func(*cobra.Command, []string) error { return usageError{errors.New("missing command")} },
		SilenceErrors: true, // run prints them
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("genltestctl {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().StringVar(&s.socket, "socket", defaultSocket, "path of the daemon's control socket")
	root.PersistentFlags().DurationVar(&s.timeout, "timeout", 30*time.Second,
		"fail if the daemon sends nothing for this time, except during a replay, a drop or a reload; 0 disables the timeout")
	root.PersistentFlags().VarP(&s.output, "output", "o", "output format: text, or json with one object per line")
	complete := cobra.FixedCompletions(outputFormats(), cobra.ShellCompDirectiveNoFileComp)
	_ = root.RegisterFlagCompletionFunc("output", complete) // fails only for an unknown flag
	root.AddCommand(s.canary(), s.deadLetters(), s.echo(), s.family(), s.listen(), s.ping(), s.reload(), s.status(), s.top())
	root.AddCommand(s.tail())
	root.AddCommand(s.explainEvent())
	root.AddCommand(s.config(), s.journal(), s.logLevel(), s.sink(), s.support())
	return root
}

// explain returns the text of an error with its remedy, and the exit status.
func (s *session) explain(err error) (text string, code int) {
	var refused *api.Error
	var usage usageError
	var kernel kernelError
	var files journalError
	switch {
	case errors.As(err, &kernel):
		return err.Error(), kernel.code
	case errors.As(err, &files):
		return err.Error(), files.code
	case errors.Is(err, api.ErrStreamEnded):
		return err.Error(), exitUnavailable
	case errors.As(err, &usage):
		return err.Error(), exitUsage
	case errors.As(err, &refused) && refused.Status == http.StatusNotFound:
		return err.Error(), exitNoInput
	case errors.As(err, &refused) && refused.Status == http.StatusForbidden:
		return err.Error(), exitNoPerm
	case errors.As(err, &refused) && refused.Status == http.StatusUnprocessableEntity:
		return err.Error(), exitConfig
	case errors.As(err, &refused):
		return "the daemon refused: " + err.Error(), exitFailed
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("no daemon listens on %s: %v; start it (systemctl start genltestd), or specify its socket with --socket",
			s.socket, cause(err)), exitUnavailable
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("%s: %v; run genltestctl as root or as a member of the group genltestd", s.socket, cause(err)), exitNoPerm
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Sprintf("no answer on %s within %s; see systemctl status genltestd, or increase --timeout",
			s.socket, s.timeout), exitUnavailable
	case errors.Is(err, api.ErrNoDaemon):
		return fmt.Sprintf("%s is not the control socket of genltestd: %v; specify it with --socket (default %s)",
			s.socket, cause(err), defaultSocket), exitUnavailable
	}
	return err.Error(), exitFailed
}

// cause returns the system's error within err, or err if it does not wrap one. The text
// around the system's error would repeat the socket.
func cause(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// usageArgs returns check with its errors as usage errors.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}
