// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/genltestd/genltestd/cmd/internal/commandline"
	"github.com/genltestd/genltestd/cmd/internal/journalcmd"
	"github.com/genltestd/genltestd/daemon"
	"github.com/genltestd/genltestd/daemon/journal/verify"
)

const journalDescription = `Look into a journal on disk.

Nothing is changed and no lock is taken, so the commands may be used beside the
daemon. They show the events that were on disk when they began, without those that the
daemon removes meanwhile. The last write is not damage if it is incomplete, unless the
daemon was stopped in good order: the next start cuts it off.

Exit status: 0 intact, 1 damaged or the output could not be written, 64 wrong usage,
66 DIR is not a journal that can be read, 78 wrong configuration.`

const dirDescription = `

DIR is the directory of the journal. The default is that of the daemon: journal.path
of the configuration, or /var/lib/genltestd/journal.`

// journal returns the commands that look into a journal.
func (p *program) journal() *commandline.Command {
	look := func(name, short, long string, look lookFunc) *commandline.Command {
		return &commandline.Command{
			Name: name, Arguments: "[DIR]", Short: short, Long: long, Options: []commandline.Option{p.options.configFile()},
			Run: func(arguments []string) error { return p.look(look, arguments) },
		}
	}
	return &commandline.Command{
		Name: "journal", Short: "Check or print the events on disk", Long: journalDescription,
		Commands: []*commandline.Command{
			look("dump", "Print the events of a journal", journalcmd.DumpHelp+dirDescription, p.dumpJournal),
			look("verify", "Read and check a journal", journalcmd.VerifyHelp+dirDescription, journalcmd.Verify),
		},
		Run: func([]string) error { return usageError{errors.New("specify verify or dump")} },
	}
}

// A lookFunc prints what it finds in the journal in dir.
type lookFunc func(dir string, out io.Writer) (verify.Summary, error)

// look looks into the journal in the directory that args name, or the daemon's.
func (p *program) look(look lookFunc, args []string) error {
	if err := unexpected(args, 1); err != nil {
		return err
	}
	dir := strings.Join(args, "")
	if dir == "" {
		var err error
		if dir, err = p.journalDir(); err != nil {
			p.fail(exitConfig, "name the directory: the configuration that contains the default cannot be read: %s", journalcmd.Safe(err.Error()))
			return nil
		}
	}
	sum, err := look(dir, p.out)
	// When the output has failed, the other error is only its consequence.
	if err := p.out.Flush(); err != nil {
		return err
	}
	switch {
	case err != nil:
		p.fail(exitNoInput, "%s", journalcmd.Safe(err.Error()))
	case sum.Problems > 0:
		p.fail(exitFailed, "%s", journalcmd.DamageText(sum))
	}
	return nil
}

// fail prints why a journal cannot be trusted or read, and sets the exit status.
func (p *program) fail(status int, format string, args ...any) {
	fmt.Fprintf(p.stderr, "genltestd journal: "+format+"\n", args...)
	p.status = status
}

// journalDir returns the directory of the daemon's journal.
func (p *program) journalDir() (string, error) {
	dirs := daemon.DefaultDirs()
	cfg, err := loadConfig(p.options.config, dirs)
	if err != nil {
		return "", err
	}
	return daemon.JournalDir(&cfg.Journal, dirs), nil
}

// dumpJournal prints the events as the sinks do.
func (p *program) dumpJournal(dir string, out io.Writer) (verify.Summary, error) {
	warn := func(err error) { fmt.Fprintf(p.stderr, "genltestd journal: %s\n", journalcmd.Safe(err.Error())) }
	cfg, err := loadConfig(p.options.config, daemon.DefaultDirs())
	if err != nil {
		warn(fmt.Errorf("specifications that the configuration names are not used: %w", err))
		cfg = nil
	}
	return journalcmd.Dump(dir, out, cfg, warn)
}
