// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/genltestd/genltestd/cmd/internal/cmdtest"
)

func TestManualNamesEveryCommand(t *testing.T) {
	root := (&session{output: outputText}).command()
	root.InitDefaultCompletionCmd()
	cmdtest.CheckManual(t, root, "../../packaging/man/genltestctl.1")
}
