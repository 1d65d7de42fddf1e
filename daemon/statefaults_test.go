// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"testing"
)

// The page has one line for each fault, but the inboxes of all families are one fault.
func TestAFaultOfSeveralInboxesIsOneLine(t *testing.T) {
	s := stateFaults{faults: map[string]error{"inbox": errors.Join(errors.New("family a: no space"), errors.New("family b: no space"))}}
	want := "inbox: family a: no space; family b: no space"
	if got := s.list(); len(got) != 1 || got[0].Text != want {
		t.Errorf("got %v, want %q", got, want)
	}
}
