// SPDX-License-Identifier: Apache-2.0

// Program metricspage writes the table of all metrics into a page, between the lines that
// mark its place.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/genltestd/genltestd/packaging/metricsdoc"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: metricspage PAGE")
		os.Exit(64)
	}
	if err := generate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "metricspage:", err)
		os.Exit(1)
	}
}

func generate(path string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	page, err := render(string(old))
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(page), 0o644)
}

const (
	begin = "<!-- begin: make generate writes this table -->\n"
	end   = "<!-- end -->\n"
)

// render returns the page with a new table.
func render(page string) (string, error) {
	before, rest, found := strings.Cut(page, begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return "", errors.New("the page does not mark the place of the table")
	}
	all, err := metricsdoc.All()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(before + begin)
	fmt.Fprint(&b, "| metric | type | meaning |\n| --- | --- | --- |\n")
	for _, m := range all {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", m.Name+m.LabelSet(), m.Type, meaning(m))
	}
	b.WriteString(end + after)
	return b.String(), nil
}

// meaning returns the help with the values of the labels.
func meaning(m metricsdoc.Metric) string {
	text := strings.ReplaceAll(m.Help, "|", `\|`)
	for _, label := range m.Labels {
		if values := m.Values[label]; len(values) > 0 {
			text += fmt.Sprintf(" `%s`: `%s`.", label, strings.Join(values, "`, `"))
		}
	}
	return text
}
