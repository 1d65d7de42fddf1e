// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/genltestd/genltestd/daemon/journal/verify"
)

// A journalForm is the content of a journal on disk as JSON. The form is documented and stable.
type journalForm struct {
	Path            string        `json:"path"`
	ID              string        `json:"id"`
	Segments        int           `json:"segments"`
	Bytes           int64         `json:"bytes"`
	Records         uint64        `json:"records"`
	First           uint64        `json:"first"` // 0 without a record
	Last            uint64        `json:"last"`
	Missing         uint64        `json:"missing"`
	IncompleteBytes int64         `json:"incomplete_bytes"` // of the last write
	Cursors         []cursorForm  `json:"cursors"`
	Problems        []problemForm `json:"problems"`
}

// A cursorForm is the position of a sink.
type cursorForm struct {
	Name    string `json:"name"`
	Next    uint64 `json:"next"`
	Waiting uint64 `json:"waiting"`
}

// A problemForm is one piece of damage.
type problemForm struct {
	Path    string `json:"path"`
	Offset  int64  `json:"offset"`
	Bytes   int64  `json:"bytes"`
	Records uint64 `json:"records"`
	Text    string `json:"text"`
}

// checkJournal reads a journal.
func checkJournal(dir string) (*journalForm, verify.Summary, error) {
	problems := []problemForm{}
	sum, err := verify.Check(dir, func(p verify.Problem) {
		problems = append(problems, problemForm{p.Path, p.Offset, p.Bytes, p.Records, p.What})
	})
	cursors := []cursorForm{}
	for _, c := range sum.Cursors {
		cursors = append(cursors, cursorForm{c.Name, c.Next, c.Waiting})
	}
	return &journalForm{
		Path: dir, ID: sum.ID, Segments: sum.Segments, Bytes: sum.Bytes, Records: sum.Records, First: sum.First, Last: sum.Last,
		Missing: sum.Missing, IncompleteBytes: sum.Torn, Cursors: cursors, Problems: problems,
	}, sum, err
}
