// SPDX-License-Identifier: Apache-2.0

// Program schema writes two files into the directory that it is given: schema.json, the JSON
// Schema of the configuration file, and reference.yaml, a file with every key.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sinks"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: schema DIR")
		os.Exit(64)
	}
	if err := generate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}

func generate(dir string) error {
	kinds := sinks.Kinds()
	for name, text := range map[string][]byte{"schema.json": config.Schema(kinds), "reference.yaml": config.Reference(kinds)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil { //nolint:gosec // everybody may read these files
			return err
		}
	}
	return nil
}
