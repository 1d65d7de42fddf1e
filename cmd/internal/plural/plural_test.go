// SPDX-License-Identifier: Apache-2.0

package plural

import "testing"

func TestOnlyOneUsesTheSingular(t *testing.T) {
	for n, want := range map[int]string{0: "0 sinks", 1: "1 sink", 2: "2 sinks", 21: "21 sinks"} {
		if got := Count(n, "sink"); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}
