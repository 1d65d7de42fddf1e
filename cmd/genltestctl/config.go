// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/daemon/control/api"
)

const configHelp = `Show the configuration that the daemon uses, or compare it with the files.

Secrets are masked in all output.`

const configShowHelp = `Print the configuration that the daemon uses as YAML, with all defaults. Secrets are masked.`

const configDiffHelp = `Compare the configuration that the daemon uses with the files, as a unified diff.

A line with - is in use, and a line with + would be in use after a reload. Both sides have
all defaults, so comments and the order of the keys make no difference. Secrets are masked,
so a changed secret makes no difference either. The daemon reads the files, with its own
rights.

The exit status is 0 if there is no difference, 1 if there is one, and 78 if the files have
faults, which are printed.`

// A configForm is the configuration in use as JSON. The form is documented and stable.
type configForm struct {
	Configuration string `json:"configuration"` // YAML
}

// A diffForm is a comparison as JSON. The form is documented and stable.
type diffForm struct {
	Differs bool   `json:"differs"`
	Diff    string `json:"diff"` // empty without a difference
}

// errDiffers sets the exit status of a comparison that has found a difference.
var errDiffers = errors.New("the configuration differs")

func (s *session) config() *cobra.Command {
	below := func(name, short, long string, run func(context.Context) error) *cobra.Command {
		return &cobra.Command{
			Use: name, Short: short, Long: long,
			Args: usageArgs(cobra.NoArgs), ValidArgsFunction: cobra.NoFileCompletions,
			RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context()) },
		}
	}
	return group("config", "Show the configuration in use, or compare it with the files", configHelp,
		below("show", "Print the configuration in use", configShowHelp, s.showConfig),
		below("diff", "Compare the configuration in use with the files", configDiffHelp, s.diffConfig),
	)
}

func (s *session) showConfig(ctx context.Context) error {
	text, err := s.client().Config(ctx)
	if err != nil {
		return err
	}
	w := s.writer()
	if w.format == outputJSON {
		return errors.Join(w.json(configForm{string(text)}), w.flush())
	}
	for _, line := range textLines(text) {
		fmt.Fprintln(w.out, visible(line))
	}
	return w.flush()
}

func (s *session) diffConfig(ctx context.Context) error {
	running, err := s.client().Config(ctx)
	if err != nil {
		return err
	}
	files, err := s.client().Files(ctx)
	var refused *api.Error
	if errors.As(err, &refused) {
		s.complain(refused.Faults)
	}
	if err != nil {
		return err
	}
	lines := unifiedDiff("running", "files", textLines(running), textLines(files))
	if err := s.showDiff(lines); err != nil {
		return err
	}
	if len(lines) > 0 {
		return errDiffers
	}
	return nil
}

func (s *session) showDiff(lines []string) error {
	w := s.writer()
	if w.format == outputJSON {
		form := diffForm{Differs: len(lines) > 0}
		for _, line := range lines {
			form.Diff += line + "\n"
		}
		return errors.Join(w.json(form), w.flush())
	}
	for _, line := range lines {
		fmt.Fprintln(w.out, w.paint(diffStyle(line), visible(line)))
	}
	return w.flush()
}

func diffStyle(line string) style {
	switch line[0] {
	case '-':
		return bad
	case '+':
		return good
	case '@':
		return warning
	}
	return plain
}

// textLines returns the lines of a text, without their ends.
func textLines(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}
