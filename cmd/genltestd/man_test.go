// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/cmd/internal/cmdtest"
)

const manual = "../../packaging/man/genltestd.8"

func TestManualNamesEveryCommand(t *testing.T) {
	cmdtest.CheckManual(t, (&program{}).command(), manual)
}

func TestManualExplainsTheSignals(t *testing.T) {
	page, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	for _, signal := range []string{"HUP", "TERM", "INT"} {
		if !strings.Contains(description, signal) || !strings.Contains(string(page), "SIG"+signal) {
			t.Errorf("%s is not in the description and the page", signal)
		}
	}
}
