// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes that reads "64MiB", "10MB" or "1048576".
type Size int64

// The order is String's preference: the largest unit first, and powers of two
// before powers of ten. The empty unit fits every size.
var sizeUnits = []struct {
	name  string
	bytes Size
}{
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"", 1},
}

// UnmarshalText reads decimal digits with or without a unit behind them. A zero before
// them would make another number of them in YAML.
func (s *Size) UnmarshalText(text []byte) error {
	t := string(text)
	digits := strings.TrimRight(t, "kKMGiB")
	for _, u := range sizeUnits {
		if digits+u.name != t {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || strconv.FormatUint(n, 10) != digits {
			break
		}
		if Size(n) > math.MaxInt64/u.bytes {
			break
		}
		*s = Size(n) * u.bytes
		return nil
	}
	return sizeError(t)
}

func sizeError(t string) error {
	likely, overflow := likelySizes(t)
	switch {
	case overflow:
		return &rangeError{t, strconv.FormatInt(math.MaxInt64>>30, 10) + "GiB"}
	case len(likely) > 0:
		return &likelyError{t, "a size", likely}
	case isOff(t):
		return &offError{t, "a size", "0"}
	}
	return fmt.Errorf("%s is not a size; write bytes, or a whole number with kB, MB, GB, KiB, MiB or GiB, like 64MiB", quote(t))
}

// MarshalText is the inverse of UnmarshalText.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String uses the largest unit that says the size exactly.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return "0"
}
