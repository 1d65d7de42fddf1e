// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A column of a table.
type column struct {
	title string
	right bool // align to the right, for numbers
	most  int  // maximum number of characters on a terminal; 0 means unlimited
	// optional columns are omitted on a terminal that is too narrow, the last one first.
	optional bool
}

// A table is printed after all rows are added. Each column is as wide as its longest
// cell.
type table struct {
	columns []column
	rows    []row
	// fold prints each row as a text, if the table is wider than the terminal. Otherwise the lines are cut.
	fold bool
}

type row struct {
	cells []styled
	notes []string // lines below the row
}

func (t *table) add(cells ...any) {
	var r row
	for _, cell := range cells {
		c, is := cell.(styled)
		if !is {
			c.text = fmt.Sprint(cell)
		}
		c.text = visible(c.text)
		r.cells = append(r.cells, c)
	}
	t.rows = append(t.rows, r)
}

// note adds a line below the last row.
func (t *table) note(text string) {
	last := &t.rows[len(t.rows)-1]
	last.notes = append(last.notes, text)
}

// print writes a table, and fits it to the terminal. It writes nothing without rows.
func (w *writer) print(t *table) {
	if len(t.rows) == 0 {
		return
	}
	widths := t.fit(w.width > 0)
	for i := len(widths) - 1; i > 0 && w.width > 0 && span(widths) > w.width; i-- {
		if t.columns[i].optional {
			widths[i] = 0
		}
	}
	if t.fold && w.width > 0 && span(widths) > w.width {
		w.printFolded(t, widths)
		return
	}
	titles := make([]styled, len(t.columns))
	for i, c := range t.columns {
		titles[i].text = c.title
	}
	w.row(t, titles, widths)
	for _, r := range t.rows {
		w.row(t, r.cells, widths)
		for _, note := range r.notes {
			w.line(plain, "  ", note)
		}
	}
}

// printFolded writes each row as a text.
func (w *writer) printFolded(t *table, widths []int) {
	for _, r := range t.rows {
		var parts []string
		for i, cell := range r.cells[1:] {
			if widths[i+1] > 0 {
				parts = append(parts, strings.ToLower(t.columns[i+1].title)+" "+cell.text)
			}
		}
		w.line(plain, "", strings.ToLower(t.columns[0].title)+" "+r.cells[0].text)
		for _, text := range append([]string{strings.Join(parts, ", ")}, r.notes...) {
			w.line(plain, "  ", text)
		}
	}
}

// fit returns the widths of the columns. On a terminal it cuts cells first.
func (t *table) fit(terminal bool) []int {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = utf8.RuneCountInString(c.title)
		for _, r := range t.rows {
			cell := &r.cells[i]
			if terminal && c.most > 0 {
				cell.text = cut(cell.text, c.most)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell.text))
		}
	}
	return widths
}

// span returns the width of a table. Columns of width 0 are omitted.
func span(widths []int) (n int) {
	for _, width := range widths {
		if width > 0 {
			n += width + 2
		}
	}
	return n - 2
}

// row writes a row, and cuts it to the width of the terminal.
func (w *writer) row(t *table, cells []styled, widths []int) {
	line := t.line(cells, widths, func(_ style, text string) string { return text })
	if w.width > 0 && utf8.RuneCountInString(line) > w.width {
		line = cut(line, w.width)
	} else {
		line = t.line(cells, widths, w.paint)
	}
	fmt.Fprintln(w.out, line)
}

func (t *table) line(cells []styled, widths []int, paint func(style, string) string) string {
	var line strings.Builder
	for i, cell := range cells {
		if widths[i] == 0 {
			continue
		}
		padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell.text))
		if i > 0 {
			line.WriteString("  ")
		}
		if t.columns[i].right {
			line.WriteString(padding + paint(cell.style, cell.text))
		} else {
			line.WriteString(paint(cell.style, cell.text) + padding)
		}
	}
	return strings.TrimRight(line.String(), " ")
}
