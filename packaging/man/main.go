// SPDX-License-Identifier: Apache-2.0

// Command man writes the manual pages in its directory anew: of each frame,
// genltestd.8.in say, the page genltestd.8. The pages are committed, so that
// installing them needs no tool.
//
// A frame is mdoc(7) with two liberties. Its author writes quotes, dashes, carets and
// tildes as they are: each is made the character that a reader can copy. And lines that
// begin with @ are the generator's:
//
//	@keys NAME   the keys of the section or kind of sink, as config describes them
//	@kinds       the keys of the kinds that the frame does not name, a section for each
//	@KIND        begins an example, shown byte for byte: yaml is a whole configuration
//	             file, rules a file of tests for its rules, expr a filter a line, text
//	             anything else; the tests load them all
//	@end         ends it
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: man DIR")
		os.Exit(64)
	}
	if err := generate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "man:", err)
		os.Exit(1)
	}
}

// generate writes the page of every frame in dir.
func generate(dir string) error {
	frames, err := filepath.Glob(filepath.Join(dir, "*.in"))
	if err != nil || len(frames) == 0 {
		return fmt.Errorf("no frames in %s", dir)
	}
	for _, frame := range frames {
		p, err := load(frame)
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
