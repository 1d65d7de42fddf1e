// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
)

const echoHelp = `Send a text to the module genltest, and print its reply and the round-trip time.

The module writes the text to the kernel log. The command uses a socket of its own,
without the daemon, and needs no capability.`

const pingHelp = `Write a text to /sys/genltest/ping: the module genltest multicasts it as an event.

The file is writable for root. The command does not wait for a listener.`

// pingFile is the file whose writes the module multicasts.
const pingFile = "/sys/genltest/ping"

// echoTime is the maximum time to wait for a reply.
const echoTime = 5 * time.Second

// An echoForm is a reply as JSON. The form is documented and stable.
type echoForm struct {
	Reply   string  `json:"reply"`
	Seconds float64 `json:"seconds"` // from the request to the reply
}

func (s *session) echo() *cobra.Command {
	return &cobra.Command{
		Use: "echo [TEXT]", Short: "Send a text to the module, and print its reply", Long: echoHelp,
		Args: usageArgs(cobra.MaximumNArgs(1)), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			text := "Hello from genltestctl"
			if len(args) > 0 {
				text = args[0]
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), echoTime)
			defer cancel()
			client := genl.NewEchoClient()
			begin := time.Now()
			reply, err := client.Echo(ctx, text)
			took := time.Since(begin)
			if err := errors.Join(err, client.Close()); err != nil {
				return moduleFault(err)
			}
			return s.showReply(echoForm{reply, took.Seconds()})
		},
	}
}

func (s *session) showReply(r echoForm) error {
	w := s.writer()
	if w.format == outputJSON {
		return errors.Join(w.json(r), w.flush())
	}
	fmt.Fprintf(w.out, "%s\ntime %.3f ms\n", visible(r.Reply), r.Seconds*1000)
	return w.flush()
}

func (s *session) ping() *cobra.Command {
	return &cobra.Command{
		Use: "ping TEXT", Short: "Make the module multicast a text", Long: pingHelp,
		Args: usageArgs(cobra.ExactArgs(1)), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(_ *cobra.Command, args []string) error { return ping(s.pingFile, args[0]) },
	}
}

// ping makes the module multicast a text.
func ping(file, text string) error {
	t, err := openTrigger(file)
	if err != nil {
		return err
	}
	return t.write(text)
}

// A trigger is the open file whose writes the module multicasts.
type trigger struct {
	file string
	fd   int
}

func openTrigger(file string) (trigger, error) {
	fd, err := unix.Open(file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	return trigger{file, fd}, triggerFault(file, err)
}

func (t trigger) close() error { return unix.Close(t.fd) }

// write writes a text and a newline, which the module removes, with one write(2), and closes the file: the
// module multicasts each write. The rest of a short write would be another event.
func (t trigger) write(text string) error {
	_, err := unix.Write(t.fd, append([]byte(strings.TrimSuffix(text, "\n")), '\n'))
	return triggerFault(t.file, errors.Join(err, t.close()))
}

// triggerFault returns an error of the file with its remedy and exit status.
func triggerFault(file string, err error) error {
	remedy, code := "", exitFailed
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		remedy, code = "; the module is not loaded; load it (modprobe genltest)", exitNoInput
	case errors.Is(err, fs.ErrPermission):
		remedy, code = "; run genltestctl as root", exitNoPerm
	case errors.Is(err, unix.EROFS):
		remedy, code = "; /sys is read-only here; run genltestctl outside of the container", exitNoPerm
	case errors.Is(err, unix.EMSGSIZE):
		remedy, code = "; the text may have at most 4000 bytes", exitUsage
	}
	return kernelError{fmt.Sprintf("write to %s: %v%s", file, err, remedy), code}
}

// moduleFault returns an error of a request to the module with its remedy and exit status.
func moduleFault(err error) error {
	if errors.Is(err, genl.ErrFamilyAbsent) {
		return kernelError{err.Error() + "; " + genl.AbsenceHint(genl.Genltest), exitNoInput}
	}
	return kernelFault(err)
}
