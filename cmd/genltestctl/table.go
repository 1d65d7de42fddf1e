// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A column of a table.
type column struct {
	title string
	right bool // align to the right, for numbers
	most  int  // maximum number of characters on a terminal; 0 means unlimited
}

// A table is printed after all rows are added. Each column is as wide as its longest
// cell.
type table struct {
	columns []column
	rows    [][]string
}

func (t *table) add(cells ...any) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = visible(fmt.Sprint(cell))
	}
	t.rows = append(t.rows, row)
}

// print writes the table, and cuts its lines to width characters if width is not 0. It
// writes nothing without rows.
func (t *table) print(out *bufio.Writer, width int) error {
	if len(t.rows) == 0 {
		return nil
	}
	widths := t.fit(width > 0)
	titles := make([]string, len(t.columns))
	for i, c := range t.columns {
		titles[i] = c.title
	}
	for _, row := range append([][]string{titles}, t.rows...) {
		line := t.line(row, widths)
		if width > 0 {
			line = cut(line, width)
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}

// fit returns the widths of the columns. On a terminal it cuts cells first.
func (t *table) fit(terminal bool) []int {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = utf8.RuneCountInString(c.title)
		for _, row := range t.rows {
			if terminal && c.most > 0 {
				row[i] = cut(row[i], c.most)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	return widths
}

func (t *table) line(row []string, widths []int) string {
	var line strings.Builder
	for i, cell := range row {
		padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if i > 0 {
			line.WriteString("  ")
		}
		if t.columns[i].right {
			line.WriteString(padding + cell)
		} else {
			line.WriteString(cell + padding)
		}
	}
	return strings.TrimRight(line.String(), " ")
}
