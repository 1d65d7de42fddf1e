// SPDX-License-Identifier: Apache-2.0

// Command man writes the manual pages: for each frame, such as genltestd.8.in, the page
// genltestd.8. The pages are committed, so that installing them needs no tool.
//
// A frame is mdoc(7) with two differences. Quotes, dashes, carets and tildes are written as
// they are: each becomes the character that a reader can copy. Lines that begin with @ are
// directives:
//
//	@keys NAME   the keys of a section, as config describes them
//	@metrics PREFIX...
//	             the metrics whose names begin with genltestd_PREFIX, as the registry describes
//	             them
//	@kinds       a section for each kind of sink: the text of manual.in in its folder, which is
//	             like a frame, and its keys
//	@KIND        begins an example, which is shown byte for byte: yaml is a whole configuration
//	             file, rules a file of tests for its rules, expr a filter on each line, text
//	             any other text; the tests load the first three
//	@end         ends an example
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: man FRAMES SINKS")
		os.Exit(64)
	}
	if err := generate(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "man:", err)
		os.Exit(1)
	}
}

// generate writes the page of every frame in dir. The folders of the kinds are in sinkDir.
func generate(dir, sinkDir string) error {
	frames, err := filepath.Glob(filepath.Join(dir, "*.in"))
	if err != nil || len(frames) == 0 {
		return fmt.Errorf("no frames in %s", dir)
	}
	for _, frame := range frames {
		p, err := load(frame, sinkDir)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(frame, ".in")
		if err := os.WriteFile(name, []byte(p.roff), 0o644); err != nil {
			return err
		}
	}
	return nil
}
