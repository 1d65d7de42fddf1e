// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/cmd/internal/cmdtest"
	"github.com/genltestd/genltestd/cmd/internal/commandline"
)

const manual = "../../packaging/man/genltestd.8"

func TestManualNamesEveryCommand(t *testing.T) {
	root := (&program{}).command()
	page := []cmdtest.Description{describe(root, root.Name)}
	for _, c := range root.Commands {
		page = append(page, describe(c, c.Name))
		for _, below := range c.Commands {
			page = append(page, describe(below, c.Name+" "+below.Name))
			if len(below.Commands) > 0 {
				t.Errorf("the commands below %s %s are not compared", c.Name, below.Name)
			}
		}
	}
	cmdtest.CheckManual(t, page, manual)
}

func describe(c *commandline.Command, path string) cmdtest.Description {
	call := commandline.Call{Command: c, Path: path}
	return cmdtest.Description{Path: path, Long: c.Long, Usages: call.Usages(), Listed: len(c.Commands) == 0}
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
