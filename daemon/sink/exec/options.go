// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/reaper"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
)

// Options say which program to run, and how.
type Options struct {
	Argv        []string // the program by an absolute path, and its arguments; no shell is used
	Encoder     event.Encoder
	Environment []Variable // beside PATH, LANG and what tells of the event
	User        string     // whose rights the program has; empty for the daemon's own
	Limits      Limits
	Grace       time.Duration  // from SIGTERM to SIGKILL
	Mask        *redact.Mask   // of what programs print; nil is none
	Reaper      *reaper.Reaper // of what programs leave behind; nil for none

	// Of a program for each event.
	Timeout     time.Duration
	Concurrency int // programs at once
}

// Check reports options that cannot work: a program that does not exist or is not
// executable, an unknown user. It does not run the program.
func Check(opts Options) error {
	var errs []error
	if len(opts.Argv) == 0 {
		return &sink.OptionError{Key: "exec.argv", Err: errors.New("is empty; begin it with the absolute path of a program")}
	}
	if err := checkProgram(opts.Argv[0]); err != nil {
		errs = append(errs, &sink.OptionError{Key: "exec.argv[0]", Err: err})
	}
	if opts.User != "" {
		if _, err := user.Lookup(opts.User); err != nil {
			errs = append(errs, &sink.OptionError{Key: "exec.user", Err: err})
		}
	}
	return errors.Join(errs...)
}

func checkProgram(path string) error {
	info, err := os.Stat(path)
	program, _, hasSpace := strings.Cut(path, " ")
	switch {
	case err != nil && hasSpace && checkProgram(program) == nil:
		return fmt.Errorf("has a program and its arguments in one text; write each as an entry of its own: [%s, ...]", program)
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", path)
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is not executable; chmod +x it", path)
	}
	return nil
}
