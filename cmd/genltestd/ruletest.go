// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/genltestd/genltestd/cmd/internal/plural"
	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/ruletest"
)

// testRules runs the tests in a file and prints each difference from the expected result.
func testRules(cfg *config.Config, file string, stdout, stderr io.Writer) int {
	tests, err := config.LoadRuleTests(file)
	if err != nil {
		fmt.Fprintln(stderr, err)
		if errors.As(err, new(config.Errors)) {
			return exitConfig
		}
		return exitNoInput
	}
	results, err := ruletest.Run(cfg, tests)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitConfig
	}
	failed := 0
	for _, differences := range results {
		for _, d := range differences {
			fmt.Fprintln(stdout, d)
		}
		if len(differences) > 0 {
			failed++
		}
	}
	fmt.Fprintf(stdout, "%s, %d failed\n", plural.Count(len(results), "test"), failed)
	if failed > 0 {
		return exitFailed
	}
	return exitOK
}
