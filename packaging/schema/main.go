// SPDX-License-Identifier: Apache-2.0

// Program schema writes the JSON Schema of the configuration file to standard output.
package main

import (
	"fmt"
	"os"

	"github.com/genltestd/genltestd/config"
)

func main() {
	if _, err := os.Stdout.Write(config.Schema()); err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}
