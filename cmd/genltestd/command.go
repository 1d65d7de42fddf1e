// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/genltestd/genltestd/cmd/internal/commandline"
)

const description = `Receive the multicast events of the Generic Netlink family genltest, or of the
families in the configuration file, and forward them to the sinks in that file and
in the files that add sinks, /etc/genltestd.d/*.yaml. Without any file events go to
standard output, one JSON object per line, and metrics to http://127.0.0.1:9941.

Signals: TERM and INT stop the daemon after it has delivered the waiting events,
within the configured limit; a second one stops it at once. HUP reloads the
configuration, as systemctl reload does, and reopens the files that sinks write to,
for logrotate.

Exit status: 0 stopped, 1 failed, 64 wrong usage, 66 the FILE of tests cannot be read,
78 wrong configuration or tests.`

// A program is one run of the command.
type program struct {
	stdout  io.Writer     // for the daemon, which does not buffer
	out     *bufio.Writer // to stdout, for everything else
	stderr  *os.File
	options options
	status  int // what a command without an error exits with
}

// A usageError is an error of the command line.
type usageError struct{ error }

// run executes the command line and returns the exit status.
func run(args []string, stdout io.Writer, stderr *os.File) int {
	p := &program{stdout: stdout, out: bufio.NewWriter(stdout), stderr: stderr}
	call, err := commandline.Parse(p.command(), args)
	switch {
	case err != nil:
		err = usageError{err}
	case call.Help:
		call.PrintHelp(p.out)
	default:
		err = call.Run(call.Arguments)
	}
	if err == nil {
		err = p.out.Flush() // output that cannot be written is a failure
	}
	var usage usageError
	switch {
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "%s: %v; see %[1]s --help\n", call.Path, err)
		return exitUsage
	case err != nil:
		fmt.Fprintf(stderr, "%s: %v\n", call.Path, err)
		return exitFailed
	}
	return p.status
}

// command returns the root command, which is the daemon.
func (p *program) command() *commandline.Command {
	return &commandline.Command{
		Name: "genltestd", Long: description, Options: p.options.root(), Run: p.main,
		Commands: []*commandline.Command{p.journal()},
	}
}

// unexpected returns an error for more than so many arguments.
func unexpected(args []string, most int) error {
	if len(args) <= most {
		return nil
	}
	return usageError{fmt.Errorf("unexpected argument %q", args[most])}
}

// main runs the daemon, or what an option asks for in its place.
func (p *program) main(arguments []string) error {
	if err := unexpected(arguments, 0); err != nil {
		return err
	}
	action, err := p.options.action()
	switch {
	case err != nil:
		return usageError{err}
	case action == "":
		p.status = p.daemon()
	default:
		p.status = p.act(action)
	}
	return nil
}
