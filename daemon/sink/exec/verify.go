// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// Verify implements sink.Verifier. It reports a program that does not exist or is not
// executable, and an unknown user. It does not run the program.
func (e *Config) Verify(event.Encoder) error {
	var errs []error
	if len(e.Argv) > 0 { // else Check reports it
		if err := checkProgram(e.Argv[0]); err != nil {
			errs = append(errs, &sink.OptionError{Key: "exec.argv[0]", Err: err})
		}
	}
	if e.User != "" {
		if _, err := user.Lookup(e.User); err != nil {
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
