// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// programTime is the maximum time to wait for a program of the system.
const programTime = 30 * time.Second

// runProgram returns the output of a program. The error contains what the program has printed on
// standard error.
func runProgram(ctx context.Context, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, programTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0")
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	said := strings.Join(strings.Fields(errs.String()), " ")
	switch what := strings.Join(append([]string{name}, args...), " "); {
	case err != nil && said != "":
		return nil, fmt.Errorf("%s: %w: %s", what, err, said)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", what, err)
	case len(bytes.TrimSpace(out.Bytes())) == 0 && said != "":
		return nil, fmt.Errorf("%s printed nothing: %s", what, said)
	case len(bytes.TrimSpace(out.Bytes())) == 0:
		return nil, fmt.Errorf("%s printed nothing", what)
	}
	return out.Bytes(), nil
}
