// SPDX-License-Identifier: Apache-2.0

// Package journalcmd contains what the journal commands of genltestd and genltestctl share: they
// look into a journal on disk, which may be in use by the daemon.
package journalcmd

import (
	"fmt"
	"io"
	"strconv"

	"github.com/genltestd/genltestd/cmd/internal/plural"
	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/families"
	"github.com/genltestd/genltestd/daemon/journal/verify"
	"github.com/genltestd/genltestd/daemon/record"
)

// VerifyHelp describes Verify.
const VerifyHelp = `Read and check a journal, which may be in use by the daemon.

Prints each damage with its file and offset, each file that is missing, and then what
the journal contains.`

// DumpHelp describes Dump.
const DumpHelp = `Print each event of a journal, which may be in use by the daemon.

Prints one JSON object per line, as the sinks write it, with the boot in which the event
was received if the file "boots" beside DIR contains that boot. Events of families other
than genltest are decoded by the specifications of the configuration, or else by those
that the daemon finds. A record that is not an event is printed with its bytes in base64.`

// DefaultConfig is the file of the configuration, which need not exist.
const DefaultConfig = "/etc/genltestd.yaml"

// Config reads the configuration in file, or in DefaultConfig if file is empty, without the sinks.
func Config(file string) (*config.Config, error) {
	if file == "" {
		return config.LoadWithoutSinks(DefaultConfig, true)
	}
	return config.LoadWithoutSinks(file, false)
}

// Dump prints the events of the journal in dir as the sinks do. cfg names the specifications of
// families, and may be nil. warn is called for each that cannot be used.
func Dump(dir string, out io.Writer, cfg *config.Config, warn func(error)) (verify.Summary, error) {
	return record.Dump(dir, out, families.Every(cfg, warn))
}

// Verify prints what is damaged as it is found, then a summary.
func Verify(dir string, out io.Writer) (verify.Summary, error) {
	sum, err := verify.Check(dir, func(p verify.Problem) {
		fmt.Fprintf(out, "damage    %s, offset %d: %s", Safe(p.Path), p.Offset, p.What)
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
	fmt.Fprintf(out, "journal   %s, id %s\n", Safe(dir), sum.ID)
	fmt.Fprintf(out, "segments  %d, %s\n", sum.Segments, plural.Count(sum.Bytes, "byte"))
	fmt.Fprintf(out, "records   %d", sum.Records)
	if sum.Records > 0 {
		fmt.Fprintf(out, ", numbers %d to %d", sum.First, sum.Last)
	}
	fmt.Fprintln(out)
	for _, c := range sum.Cursors {
		fmt.Fprintf(out, "cursor    %s, next number %d, %s waiting\n", Safe(c.Name), c.Next, plural.Count(c.Waiting, "record"))
	}
	if sum.Torn > 0 {
		fmt.Fprintf(out, "unended   %s of the last write, no damage\n", plural.Count(sum.Torn, "byte"))
	}
	if sum.Problems == 0 {
		fmt.Fprintln(out, "intact")
	}
	return sum, nil
}

// DamageText returns how much of a journal is damaged, and "" if it is intact.
func DamageText(sum verify.Summary) string {
	if sum.Problems == 0 {
		return ""
	}
	return fmt.Sprintf("damaged in %s; known to be missing: %s",
		plural.Count(sum.Problems, "place"), plural.Count(sum.Missing, "record"))
}

// Safe quotes a text that could act on a terminal: each user who may write to the directory of
// the journal chooses file names.
func Safe(text string) string {
	if quoted := strconv.Quote(text); quoted != `"`+text+`"` {
		return quoted
	}
	return text
}
