// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/cmd/internal/journalcmd"
	"github.com/genltestd/genltestd/daemon/journal/verify"
)

const journalHelp = `Show the state of the daemon's journal, check it, or print its events.

stat asks the running daemon. verify and dump read the files, change nothing and take no
lock, so they may be used while the daemon runs. They show the events that were on disk when
they began, without those that the daemon removes meanwhile. The files are readable for
root and the user of the daemon.

Exit status: 0 intact, 1 damaged, 3 the daemon reports a fault of the journal, 66 DIR is
not a journal that can be read, 77 permission denied, 78 wrong configuration.`

const journalDirHelp = `

DIR is the directory of the journal. The default is that of the running daemon, or else
journal.path of the configuration, or else /var/lib/genltestd/journal.`

const defaultJournalDir = "/var/lib/genltestd/journal"

// journalOptions are the options of the commands that read the files.
type journalOptions struct {
	config string // file; "" for the default
}

func (s *session) journal() *cobra.Command {
	var o journalOptions
	below := func(name, short, long string, run func(context.Context, *journalOptions, string) error) *cobra.Command {
		cmd := &cobra.Command{
			Use: name + " [DIR]", Short: short, Long: long + journalDirHelp, Args: usageArgs(cobra.MaximumNArgs(1)),
			ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
				return nil, cobra.ShellCompDirectiveFilterDirs
			},
			RunE: func(cmd *cobra.Command, args []string) error {
				return run(cmd.Context(), &o, strings.Join(args, ""))
			},
		}
		cmd.Flags().StringVar(&o.config, "config", "", "read the configuration from this `file` (default "+journalcmd.DefaultConfig+
			", which need not exist)")
		return cmd
	}
	stat := below("stat", "Show the state of the journal", journalStatHelp, s.statJournal)
	stat.Use, stat.Long, stat.Args, stat.ValidArgsFunction = "stat", journalStatHelp, usageArgs(cobra.NoArgs), cobra.NoFileCompletions
	return group("journal", "Show the state of the journal, check it, or print its events", journalHelp,
		stat,
		below("verify", "Read and check a journal", journalcmd.VerifyHelp, s.verifyJournal),
		below("dump", "Print the events of a journal", journalcmd.DumpHelp, s.dumpJournal),
	)
}

// journalDir returns dir, or the directory of the daemon's journal if dir is empty.
func (s *session) journalDir(ctx context.Context, o *journalOptions, dir string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	if o.config == "" {
		if st, err := s.client().Status(ctx); err == nil && st.Journal.Path != "" {
			return st.Journal.Path, nil
		}
	}
	return o.journalDir()
}

// journalDir returns the directory in the configuration.
func (o *journalOptions) journalDir() (string, error) {
	cfg, err := journalcmd.Config(o.config)
	if err != nil {
		text := "name the directory: the configuration that contains the default cannot be read: " + err.Error()
		if errors.Is(err, fs.ErrPermission) {
			return "", journalError{text, exitNoPerm}
		}
		return "", journalError{text, exitConfig}
	}
	return cmp.Or(cfg.Journal.Path, defaultJournalDir), nil
}

func (s *session) dumpJournal(ctx context.Context, o *journalOptions, dir string) error {
	dir, err := s.journalDir(ctx, o, dir)
	if err != nil {
		return err
	}
	warn := func(err error) { s.complain([]string{"warning: " + err.Error()}) }
	cfg, err := journalcmd.Config(o.config)
	if err != nil {
		warn(fmt.Errorf("specifications that the configuration names are not used: %w", err))
		cfg = nil
	}
	endBySignal()
	w := s.writer()
	sum, err := journalcmd.Dump(dir, w.out, cfg, warn)
	return journalOutcome(sum, err, w.flush())
}

func (s *session) verifyJournal(ctx context.Context, o *journalOptions, dir string) error {
	dir, err := s.journalDir(ctx, o, dir)
	if err != nil {
		return err
	}
	return s.checkFiles(dir, func(form *journalForm) any { return form })
}

// checkFiles reads and checks the files of a journal, and prints the result. answer returns the JSON.
func (s *session) checkFiles(dir string, answer func(*journalForm) any) error {
	endBySignal()
	w := s.writer()
	if w.format != outputJSON {
		sum, err := journalcmd.Verify(dir, w.out)
		return journalOutcome(sum, err, w.flush())
	}
	form, sum, err := checkJournal(dir)
	if err == nil {
		err = w.json(answer(form))
	}
	return journalOutcome(sum, err, w.flush())
}

// endBySignal lets signals end the process. The commands that read files change nothing.
func endBySignal() { signal.Reset(syscall.SIGINT, syscall.SIGTERM) }

// A journalError is an error of a command that reads the files of a journal, with its exit status.
type journalError struct {
	text string
	code int
}

func (e journalError) Error() string { return e.text }

// journalOutcome returns the error of a command that has read a journal. err is why it cannot be read. If the
// output has failed, the other errors are only its consequence.
func journalOutcome(sum verify.Summary, err, output error) error {
	switch {
	case output != nil:
		return output
	case errors.Is(err, fs.ErrPermission):
		return journalError{err.Error() + "; run genltestctl as root or as the user of the daemon", exitNoPerm}
	case err != nil:
		return journalError{err.Error(), exitNoInput}
	case sum.Problems > 0:
		return journalError{journalcmd.DamageText(sum), exitFailed}
	}
	return nil
}
