// SPDX-License-Identifier: Apache-2.0

package config

import (
	"math"
	"regexp"
	"strconv"
	"testing"
)

func TestDigits(t *testing.T) {
	limits := []uint64{0, 1, 2, 9, 10, 11, 19, 20, 99, 100, 101, 480, 999, 1000, 1024, 1099, 1999, 2000}
	for _, lo := range limits {
		for _, hi := range limits {
			re := regexp.MustCompile("^" + oneOfPatterns(digits(lo, hi)) + "$")
			step := uint64(1)
			if testing.Short() {
				step = 7
			}
			for n := uint64(0); n < 2500; n += step {
				text := strconv.FormatUint(n, 10)
				if got, want := lo <= hi && re.MatchString(text), lo <= n && n <= hi; got != want {
					t.Fatalf("%d to %d: %v matches %d: %v", lo, hi, re, n, got)
				}
				if lo <= hi && n > 0 && re.MatchString("0"+text) {
					t.Fatalf("%d to %d: %v matches 0%d", lo, hi, re, n)
				}
			}
		}
	}
}

func TestDigitsOfLargeNumbers(t *testing.T) {
	for _, hi := range []uint64{math.MaxInt64, powerOfTen(18), powerOfTen(18) - 1, powerOfTen(19) - 1, 315360000000000000} {
		re := regexp.MustCompile("^" + oneOfPatterns(digits(1, hi)) + "$")
		for n, want := range map[uint64]bool{0: false, 1: true, hi - 1: true, hi: true, hi + 1: false, hi + 10: false, hi / 10: true, hi/10 + 1: true} {
			if got := re.MatchString(strconv.FormatUint(n, 10)); got != want {
				t.Errorf("1 to %d: %v matches %d: %v", hi, re, n, got)
			}
		}
	}
}
