// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// hideMemory protects the secrets in the memory of the process from every user except root.
// The kernel does not write core files, with any limit. Other processes of the same user
// cannot read the memory, the environment or the descriptors. Programs that the process runs
// are not affected.
func hideMemory(stderr io.Writer) {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		fmt.Fprintf(stderr, "genltestd: a core file would contain secrets: prctl PR_SET_DUMPABLE: %v\n", err)
	}
}
