// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/cmd/internal/plural"
)

const supportHelp = `Write an archive for a bug report: a .tar.gz file that only its owner can read.

The archive contains the versions, the unit with its drop-ins, the configuration with masked
secrets, the status, the metrics, the stacks of the daemon, its last 1000 log lines, and the
names and sizes of the journal's files. It does not contain secrets or text of events.
Values of Environment= and SetCredential= in the unit, errors that may quote an event, and
lines that the daemon has not logged itself are omitted.

A part that cannot be collected is a file whose name ends in .error, with the reason, and a
line on standard error. If the daemon does not answer within --timeout, it is not asked for
the other parts. The command ends after a minute. The exit status is 0 if the archive is written. The command never
overwrites a file. Run it as root to collect everything.`

// supportTime is the maximum time for all parts together.
const supportTime = time.Minute

// A supportForm is the result of support as JSON. The form is documented and stable.
type supportForm struct {
	File  string            `json:"file"`
	Bytes int64             `json:"bytes"`
	Parts []supportPartForm `json:"parts"`
}

// A supportPartForm is a file in the archive.
type supportPartForm struct {
	Name  string `json:"name"`
	Bytes int    `json:"bytes"`
	Error string `json:"error,omitempty"` // why it could not be collected
}

func (s *session) support() *cobra.Command {
	file := ""
	cmd := &cobra.Command{
		Use: "support", Short: "Write an archive for a bug report", Long: supportHelp,
		Args: usageArgs(cobra.NoArgs), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			if file == "" {
				file = "genltestd-support-" + now.UTC().Format("20060102T150405Z") + ".tar.gz"
			}
			form, err := s.writeSupport(cmd.Context(), file, now)
			if err != nil {
				return err
			}
			return s.showSupport(form)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "write the archive to this `file`, which must not exist "+
		"(default genltestd-support-TIME.tar.gz in the working directory)")
	return cmd
}

// writeSupport writes the archive. It removes an incomplete one.
func (s *session) writeSupport(ctx context.Context, file string, now time.Time) (form *supportForm, err error) {
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%s exists and is not overwritten; specify another file with --file", file)
	}
	if err != nil {
		return nil, fmt.Errorf("create the archive: %w", plainError{err})
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			form, err = nil, errors.Join(err, os.Remove(file))
		}
	}()
	a := newArchive(out, now)
	limited, cancel := context.WithTimeout(ctx, supportTime)
	defer cancel()
	for _, part := range (&supporter{session: s}).parts() {
		text, err := part.collectIn(limited)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			s.complain([]string{fmt.Sprintf("genltestctl: %s is not in the archive: %v", part.name, err)})
		}
		a.add(part.name, text, err)
	}
	bytes, err := a.close()
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", file, plainError{err})
	}
	return &supportForm{file, bytes, a.parts}, nil
}

// A plainError hides the system's error, which explain would attribute to the socket.
type plainError struct{ err error }

func (e plainError) Error() string { return e.err.Error() }

func (s *session) showSupport(form *supportForm) error {
	w := s.writer()
	if w.format == outputJSON {
		return errors.Join(w.json(form), w.flush())
	}
	missing := 0
	for _, p := range form.Parts {
		if p.Error != "" {
			missing++
		}
	}
	text := fmt.Sprintf("%s, %s", bytesText(form.Bytes), plural.Count(len(form.Parts)-missing, "part"))
	if missing > 0 {
		text += fmt.Sprintf("; %s could not be collected", plural.Count(missing, "part"))
	}
	file := visible(form.File) + ":"
	if w.width > 0 && utf8.RuneCountInString(file+" "+text) > w.width {
		fmt.Fprintln(w.out, file) // in one piece, because a reader copies it
		w.line(plain, "  ", text)
	} else {
		fmt.Fprintln(w.out, file, text)
	}
	return w.flush()
}
