// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// hideMemory keeps the secrets in the process's memory from everybody but root: the
// kernel writes no core file, wherever it would go and whatever the limit, and no
// other process of the same user can read the memory, the environment or the
// descriptors. Programs that the process runs are not affected.
func hideMemory(stderr io.Writer) {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		fmt.Fprintf(stderr, "genltestd: a core file would have secrets in it: prctl PR_SET_DUMPABLE: %v\n", err)
	}
}
