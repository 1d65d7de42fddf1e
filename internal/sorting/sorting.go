// SPDX-License-Identifier: Apache-2.0

// Package sorting sorts short lists with little code.
package sorting

import "sort"

// Stable sorts a list, and keeps the order of equal elements. Package slices has its algorithm
// once for each type of element, which adds about 10 kB to the daemon for each; this
// function adds a few bytes.
func Stable[T any](list []T, compare func(a, b T) int) {
	sort.SliceStable(list, func(i, j int) bool { return compare(list[i], list[j]) < 0 })
}
