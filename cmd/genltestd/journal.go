// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"

	"github.com/genltestd/genltestd/cmd/internal/plural"
	"github.com/genltestd/genltestd/daemon"
	"github.com/genltestd/genltestd/daemon/journal/verify"
	"github.com/genltestd/genltestd/daemon/record"
)

const journalUsage = `Usage: genltestd journal verify [DIR]
       genltestd journal dump [DIR]

Look into a journal. DIR is its directory; without it, that of the daemon: journal.path
of ` + defaultConfig + `, or /var/lib/genltestd/journal. Nothing is changed and no lock is taken, so both may
be used beside the daemon: they show what was there when they began, and leave
out what the daemon removes meanwhile.

  verify DIR   read and check all of it; print each damage with its file and
               offset, or file that is missing, then what the journal holds
  dump DIR     print each event as the sinks do, one JSON object a line, with the
               boot in which it was received, where the file "boots" beside DIR
               knows it; a record that is no event shows with its bytes in base64

A last write that has not ended is no damage, unless the daemon was stopped in
good order: the next start cuts it off.

Exit status: 0 intact, 1 damaged or the output could not be written, 64 wrong
usage, 66 DIR is no journal that can be read, 78 wrong configuration.
`

// lookIntoJournal is the subcommand journal.
func lookIntoJournal(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("genltestd journal", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	action := ""
	if len(args) > 0 && (args[0] == "verify" || args[0] == "dump") {
		action, args = args[0], args[1:]
	}
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, journalUsage)
		return exitOK
	case err == nil && action == "":
		err = errors.New("want verify or dump")
	case err == nil && flags.NArg() > 1:
		err = fmt.Errorf("%s: want one directory", action)
	}
	if err != nil {
		fmt.Fprintf(stderr, "genltestd journal: %v; see genltestd journal --help\n", err)
		return exitUsage
	}
	dir := flags.Arg(0)
	if dir == "" {
		if dir, err = journalDir(); err != nil {
			fmt.Fprintf(stderr, "genltestd journal: name the directory, as the configuration does not tell it: %s\n", safe(err.Error()))
			return exitConfig
		}
	}
	out := bufio.NewWriter(stdout)
	look := verifyJournal
	if action == "dump" {
		look = record.Dump
	}
	sum, err := look(dir, out)
	// When the output has failed, the other error is only its consequence.
	if werr := out.Flush(); werr != nil {
		fmt.Fprintf(stderr, "genltestd journal: %v\n", werr)
		return exitFailed
	}
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "genltestd journal: %s\n", safe(err.Error()))
		return exitNoInput
	case sum.Problems > 0:
		fmt.Fprintf(stderr, "genltestd journal: damaged in %s; known to be missing: %s\n", plural.Count(sum.Problems, "place"), plural.Count(sum.Missing, "record"))
		return exitFailed
	}
	return exitOK
}

// journalDir returns the directory of the daemon's journal.
func journalDir() (string, error) {
	dirs := daemon.DefaultDirs()
	cfg, err := loadConfig("", dirs)
	if err != nil {
		return "", err
	}
	return daemon.JournalDir(&cfg.Journal, dirs), nil
}

// verifyJournal prints what is broken as it is found, then what is there.
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

// safe quotes a text that a terminal could obey: file names in a journal's
// directory are those of whoever may write to it.
func safe(text string) string {
	if quoted := strconv.Quote(text); quoted != `"`+text+`"` {
		return quoted
	}
	return text
}
