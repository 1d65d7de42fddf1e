// SPDX-License-Identifier: Apache-2.0

package reload

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config"
)

// A textSource is a Source whose fingerprint is its text.
type textSource string

func (*textSource) Load() (*config.Config, error) { return nil, errors.New("not loaded") }
func (s *textSource) Fingerprint() string         { return string(*s) }

func TestWatchWaitsForStableFiles(t *testing.T) {
	s := textSource("a")
	w := watch{source: &s}
	w.look()
	var got []bool
	for _, now := range []textSource{"a", "b", "bc", "bc", "bc", "a", "bc", "a", "a", "a"} {
		s = now
		got = append(got, w.changed())
	}
	if diff := cmp.Diff([]bool{false, false, false, true, false, false, false, false, true, false}, got); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
}
