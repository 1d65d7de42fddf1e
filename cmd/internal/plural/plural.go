// SPDX-License-Identifier: Apache-2.0

// Package plural writes numbers of things.
package plural

import "fmt"

// Count returns "1 record", or "2 records" for any other number. The noun is the
// singular; its plural must end in s.
func Count[N int | int64 | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
