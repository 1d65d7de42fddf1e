// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"slices"
	"strings"
	"testing"
)

func TestTailVisitsOneSegment(t *testing.T) {
	dir := t.TempDir()
	opts := still(unixFS{})
	j := open(t, dir, opts)
	tail := func() (texts []string) {
		t.Helper()
		if err := j.Tail(func(data []byte) { texts = append(texts, string(data)) }); err != nil {
			t.Fatal(err)
		}
		return texts
	}
	if got := tail(); got != nil {
		t.Errorf("an empty journal has %q", got)
	}
	put(t, j, 1, "old", strings.Repeat("x", int(opts.SegmentBytes)))
	put(t, j, 2, "a", "")
	put(t, j, 3, "b")
	if got := tail(); !slices.Equal(got, []string{"a", "", "b"}) {
		t.Errorf("newest segment has %q", got)
	}
	abandon(j) // the next start begins a segment, which is empty
	j = open(t, dir, opts)
	if got := tail(); !slices.Equal(got, []string{"a", "", "b"}) {
		t.Errorf("after a crash the newest segment with records has %q", got)
	}
}
