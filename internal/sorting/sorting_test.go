// SPDX-License-Identifier: Apache-2.0

package sorting

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestStable(t *testing.T) {
	type element struct{ key, place int }
	compare := func(a, b element) int { return a.key - b.key }
	for size := range 100 {
		var list []element
		for i := range size {
			list = append(list, element{rand.IntN(5), i})
		}
		want := slices.Clone(list)
		slices.SortStableFunc(want, compare)
		if Stable(list, compare); !slices.Equal(list, want) {
			t.Fatalf("got %v, want %v", list, want)
		}
	}
}
