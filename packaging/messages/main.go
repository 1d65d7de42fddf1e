// SPDX-License-Identifier: Apache-2.0

// Program messages writes what is generated from the table of log messages: the ids of the
// daemon, the catalogue for journalctl -x, and the page for operators.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/genltestd/genltestd/config/strict"
)

// Names of the table and of the generated files, relative to the root of the tree.
const (
	tableFile     = "daemon/messages/messages.yaml"
	idsFile       = "daemon/messages/ids.go"
	textsFile     = "daemon/messages/texts/table.go"
	catalogueFile = "packaging/systemd/genltestd.catalog"
	pageFile      = "docs/messages.md"
)

// A table contains every log message.
type table struct {
	Groups []group `yaml:"groups"`
}

// A group contains the messages of one subject.
type group struct {
	Title string `yaml:"title" required:"true"`
	See   string `yaml:"see" required:"true"` // page of its messages that name no other
	// Quotes is what attributes of its messages may contain text of.
	Quotes   string    `yaml:"quotes" required:"true" oneof:"nothing events"`
	Messages []message `yaml:"messages"`
}

// A message is a line of the log.
type message struct {
	Message string `yaml:"message" required:"true"`
	ID      string `yaml:"id" required:"true"`                              // MESSAGE_ID
	When    string `yaml:"when" required:"true"`                            // when it is logged
	Do      string `yaml:"do" default:""`                                   // what to do; empty for nothing
	Quotes  string `yaml:"quotes" default:"nothing" oneof:"nothing events"` // as in group
	See     string `yaml:"see" default:""`                                  // a page, relative to the root of the tree
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: messages ROOT")
		os.Exit(64)
	}
	if err := generate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "messages:", err)
		os.Exit(1)
	}
}

func generate(root string) error {
	t, err := load(root)
	if err != nil {
		return err
	}
	for file, content := range render(t) {
		if err := os.WriteFile(filepath.Join(root, file), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// load reads the table below root. The page of a group becomes that of its messages that
// require an action.
func load(root string) (table, error) {
	text, err := os.ReadFile(filepath.Join(root, tableFile))
	if err != nil {
		return table{}, err
	}
	var t table
	report := strict.NewReport(tableFile, &strict.Costs{}, nil)
	report.Decode(text, &t, "")
	report.Check(&t)
	for _, g := range t.Groups {
		for i := range g.Messages {
			if m := &g.Messages[i]; m.See == "" && m.Do != "" {
				m.See = g.See
			}
		}
	}
	return t, strict.Err(report)
}
