// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
)

// diffContext is the number of equal lines around a change.
const diffContext = 3

// An edit is one line of a comparison.
type edit struct {
	op   byte // ' ' in both texts, '-' only in the first, '+' only in the second
	line string
}

// unifiedDiff returns the lines of a unified diff, and nil if a and b are equal.
func unifiedDiff(nameA, nameB string, a, b []string) []string {
	all := edits(a, b)
	var lines []string
	lineA, lineB, done := 0, 0, 0 // the position after the first done edits
	for {
		first := slices.IndexFunc(all[done:], edit.isChange)
		if first < 0 {
			return lines
		}
		if lines == nil {
			lines = []string{"--- " + nameA, "+++ " + nameB}
		}
		start := max(done, done+first-diffContext)
		lineA, lineB = lineA+start-done, lineB+start-done // the edits between are equal lines
		hunk := all[start:hunkEnd(all, done+first)]
		countA, countB := 0, 0
		var body []string
		for _, e := range hunk {
			if e.op != '+' {
				countA++
			}
			if e.op != '-' {
				countB++
			}
			body = append(body, string(e.op)+e.line)
		}
		lines = append(lines, fmt.Sprintf("@@ -%s +%s @@", lineRange(lineA, countA), lineRange(lineB, countB)))
		lines = append(lines, body...)
		lineA, lineB, done = lineA+countA, lineB+countB, start+len(hunk)
	}
}

func (e edit) isChange() bool { return e.op != ' ' }

// hunkEnd returns the end of the hunk that contains the change at index i. Changes whose context
// would overlap or touch are in one hunk.
func hunkEnd(all []edit, i int) int {
	for {
		for i < len(all) && all[i].isChange() {
			i++
		}
		next := slices.IndexFunc(all[i:], edit.isChange)
		if next < 0 || next > 2*diffContext {
			return min(len(all), i+diffContext)
		}
		i += next
	}
}

// lineRange returns the range of a hunk that follows so many lines. An empty range has the number of
// the line before it.
func lineRange(before, count int) string {
	if count == 0 {
		return fmt.Sprintf("%d,0", before)
	}
	return fmt.Sprintf("%d,%d", before+1, count)
}

// edits returns a shortest list of edits that changes a to b. Time and memory are the product of the
// numbers of lines between the first and the last change.
func edits(a, b []string) (all []edit) {
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	end := 0
	for end < min(len(a), len(b))-same && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	for _, line := range a[:same] {
		all = append(all, edit{' ', line})
	}
	all = append(all, changes(a[same:len(a)-end], b[same:len(b)-end])...)
	for _, line := range a[len(a)-end:] {
		all = append(all, edit{' ', line})
	}
	return all
}

// changes is edits by the longest common subsequence. Removed lines precede added ones.
func changes(a, b []string) (all []edit) {
	common := make([][]int32, len(a)+1) // common[i][j] is the length of the subsequence of a[i:] and b[j:]
	for i := range common {
		common[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			all = append(all, edit{' ', a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			all = append(all, edit{'-', a[i]})
			i++
		default:
			all = append(all, edit{'+', b[j]})
			j++
		}
	}
	return all
}
