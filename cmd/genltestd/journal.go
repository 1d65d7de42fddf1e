// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/genltestd/genltestd/cmd/internal/commandline"
	"github.com/genltestd/genltestd/cmd/internal/plural"
	"github.com/genltestd/genltestd/daemon"
	"github.com/genltestd/genltestd/daemon/families"
	"github.com/genltestd/genltestd/daemon/journal/verify"
	"github.com/genltestd/genltestd/daemon/record"
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

const verifyDescription = `Read and check a journal, which may be in use by the daemon.

Prints each damage with its file and offset, each file that is missing, and then what
the journal contains.` + dirDescription

const dumpDescription = `Print each event of a journal, which may be in use by the daemon.

Prints one JSON object per line, as the sinks write it, with the boot in which the event
was received if the file "boots" beside DIR contains that boot. Events of families other
than genltest are decoded by the specifications of the configuration, or else by those
that the daemon finds. A record that is not an event is printed with its bytes in base64.` + dirDescription

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
			look("dump", "Print the events of a journal", dumpDescription, p.dumpJournal),
			look("verify", "Read and check a journal", verifyDescription, verifyJournal),
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
			p.fail(exitConfig, "name the directory: the configuration that contains the default cannot be read: %s", safe(err.Error()))
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
		p.fail(exitNoInput, "%s", safe(err.Error()))
	case sum.Problems > 0:
		p.fail(exitFailed, "damaged in %s; known to be missing: %s", plural.Count(sum.Problems, "place"), plural.Count(sum.Missing, "record"))
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
	warn := func(err error) { fmt.Fprintf(p.stderr, "genltestd journal: %s\n", safe(err.Error())) }
	cfg, err := loadConfig(p.options.config, daemon.DefaultDirs())
	if err != nil {
		warn(fmt.Errorf("specifications that the configuration names are not used: %w", err))
		cfg = nil
	}
	return record.Dump(dir, out, families.Every(cfg, warn))
}

// verifyJournal prints what is broken as it is found, then a summary.
func verifyJournal(dir string, out io.Writer) (verify.Summary, error) {
	sum, err := verify.Check(dir, func(p verify.Problem) {
		fmt.Fprintf(out, "damage    %s, offset %d: %s", safe(p.Path), p.Offset, p.What)
		if p.Bytes > 0 {
			fmt.Fprintf(out, ", %s", plural.Count(p.Bytes, "byte"))
		}
		if p.Records > 0 {
			fmt.Fprintf(out, ", %s", plural.Count(p.Records, "record"))
		}
		fmt.Fprintln(out)
	})
	if err != nil {
		return sum, err
	}
	fmt.Fprintf(out, "journal   %s, id %s\n", safe(dir), sum.ID)
	fmt.Fprintf(out, "segments  %d, %s\n", sum.Segments, plural.Count(sum.Bytes, "byte"))
	fmt.Fprintf(out, "records   %d", sum.Records)
	if sum.Records > 0 {
		fmt.Fprintf(out, ", numbers %d to %d", sum.First, sum.Last)
	}
	fmt.Fprintln(out)
	for _, c := range sum.Cursors {
		fmt.Fprintf(out, "cursor    %s, next number %d, %s waiting\n", safe(c.Name), c.Next, plural.Count(c.Waiting, "record"))
	}
	if sum.Torn > 0 {
		fmt.Fprintf(out, "unended   %s of the last write, no damage\n", plural.Count(sum.Torn, "byte"))
	}
	if sum.Problems == 0 {
		fmt.Fprintln(out, "intact")
	}
	return sum, nil
}

// safe quotes a text that could act on a terminal: each user who may write to the directory of
// the journal chooses file names.
func safe(text string) string {
	if quoted := strconv.Quote(text); quoted != `"`+text+`"` {
		return quoted
	}
	return text
}
