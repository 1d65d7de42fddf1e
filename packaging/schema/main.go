// SPDX-License-Identifier: Apache-2.0

// Command schema writes the files that are generated from the kinds of sinks, below the root of
// the repository: the JSON Schema of the configuration file, the configuration file with every
// key, and the tables of kinds in README.md and docs/README.md.
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
		fmt.Fprintln(os.Stderr, "usage: schema ROOT")
		os.Exit(64)
	}
	files, err := generate(os.Args[1])
	for name, text := range files {
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], name), text, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}

// generate returns the content of each file, by its path below root.
func generate(root string) (map[string][]byte, error) {
	kinds := sinks.Kinds()
	files := map[string][]byte{"config/schema.json": config.Schema(kinds), "config/reference.yaml": config.Reference(kinds)}
	for page, prefix := range map[string]string{"README.md": "docs/sinks/", "docs/README.md": "sinks/"} {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			return nil, err
		}
		if files[page], err = withKinds(text, prefix, kinds); err != nil {
			return nil, fmt.Errorf("%s: %w", page, err)
		}
	}
	return files, nil
}
